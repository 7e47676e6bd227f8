// SPDX-License-Identifier: GPL-2.0-only

#include <linux/cpumask.h>
#include <linux/percpu.h>

/*
 * The layout of `stats::SizedCounters`. A static assertion in Rust compares the
 * sizes.
 */
#define KALLOC_COUNTERS (11 + 2 * 64)

struct kalloc_counters {
	u64 value[KALLOC_COUNTERS];
};

/*
 * The counters of unregistered sites: real memory on every CPU, so that the
 * allocation path needs no check.
 */
DECLARE_PER_CPU_ALIGNED(struct kalloc_counters, kalloc_unregistered);
#ifndef __BINDGEN__
DEFINE_PER_CPU_ALIGNED(struct kalloc_counters, kalloc_unregistered);
#endif

void __percpu *kalloc_helper_alloc_percpu(size_t size, size_t align, gfp_t gfp);
void __percpu *kalloc_helper_alloc_percpu(size_t size, size_t align, gfp_t gfp)
{
	return __alloc_percpu_gfp(size, align, gfp);
}

void *kalloc_helper_this_cpu_ptr(void __percpu *ptr);
void *kalloc_helper_this_cpu_ptr(void __percpu *ptr)
{
	return this_cpu_ptr(ptr);
}

void *kalloc_helper_per_cpu_ptr(void __percpu *ptr, int cpu);
void *kalloc_helper_per_cpu_ptr(void __percpu *ptr, int cpu)
{
	return per_cpu_ptr(ptr, cpu);
}

void kalloc_helper_this_cpu_add(u64 __percpu *counter, u64 n);
void kalloc_helper_this_cpu_add(u64 __percpu *counter, u64 n)
{
	this_cpu_add(*counter, n);
}

int kalloc_helper_next_possible_cpu(int cpu);
int kalloc_helper_next_possible_cpu(int cpu)
{
	return cpumask_next(cpu, cpu_possible_mask);
}

unsigned int kalloc_helper_nr_cpu_ids(void);
unsigned int kalloc_helper_nr_cpu_ids(void)
{
	return nr_cpu_ids;
}
