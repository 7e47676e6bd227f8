/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The C side of the benchmarks: plain C as a driver would write it. Rust calls
 * each function by the same signature: run @n iterations, with a parameter.
 */
#ifndef KALLOC_BENCH_H
#define KALLOC_BENCH_H

#include <linux/compiler.h>
#include <linux/types.h>

/* Writes a byte of an allocation, as the Rust side does. */
static __always_inline void touch(void *block)
{
	WRITE_ONCE(*(u8 *)block, 0);
}

int kalloc_bench_loop(unsigned long n, unsigned long param);
u64 kalloc_bench_cycles(void);
int kalloc_bench_kmalloc(unsigned long n, unsigned long size);
int kalloc_bench_kmalloc_many(unsigned long n, unsigned long size);
int kalloc_bench_kmalloc_sized(unsigned long n, unsigned long size);
int kalloc_bench_push(unsigned long n, unsigned long len);

/* A job of one CPU, the @nth of the online ones. */
typedef int (*kalloc_bench_job)(void *arg, unsigned int nth);

int kalloc_bench_on_cpus(kalloc_bench_job job, void *arg);
unsigned int kalloc_bench_cpus(void);
int kalloc_bench_crew(unsigned long n, unsigned long param);
int kalloc_bench_all_pairs(unsigned long n, unsigned long size);
int kalloc_bench_all_alloc_free(unsigned long n, unsigned long size);
int kalloc_bench_remote_free(unsigned long n, unsigned long size);
int kalloc_bench_one_allocates(unsigned long n, unsigned long size);
int kalloc_bench_pages_all_pairs(unsigned long n, unsigned long order);
int kalloc_bench_pages_all_alloc_free(unsigned long n, unsigned long order);
int kalloc_bench_pages_remote_free(unsigned long n, unsigned long order);
int kalloc_bench_pages_one_allocates(unsigned long n, unsigned long order);
int kalloc_bench_pages_ring(unsigned long n, unsigned long order);

int kalloc_bench_cache_create(void);
void kalloc_bench_cache_destroy(void);
int kalloc_bench_cache(unsigned long n, unsigned long param);
int kalloc_bench_cache_one_by_one(unsigned long n, unsigned long count);
int kalloc_bench_cache_bulk(unsigned long n, unsigned long count);

int kalloc_bench_pages(unsigned long n, unsigned long order);
int kalloc_bench_pages_many(unsigned long n, unsigned long order);
int kalloc_bench_pages_bulk(unsigned long n, unsigned long count);
int kalloc_bench_free_pages(unsigned long n, unsigned long order);

int kalloc_bench_vmalloc(unsigned long n, unsigned long pages);
int kalloc_bench_vmalloc_nowait(unsigned long n, unsigned long pages);
int kalloc_bench_vmalloc_random(unsigned long n, unsigned long seed);
int kalloc_bench_vrealloc(unsigned long n, unsigned long page);
int kalloc_bench_vmalloc_aligned(unsigned long n, unsigned long size);
int kalloc_bench_vmalloc_random_aligned(unsigned long n, unsigned long seed);
void kalloc_bench_vmalloc_settle(void);

int kalloc_bench_vmap(unsigned long n, unsigned long count);
int kalloc_bench_vm_map_ram(unsigned long n, unsigned long count);
int kalloc_bench_percpu(unsigned long n, unsigned long size);

#endif
