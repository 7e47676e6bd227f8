// SPDX-License-Identifier: GPL-2.0-only
/*
 * Lameter's concurrent tests on many CPUs, and the code that runs them for both
 * sides.
 */

#include <linux/cpu.h>
#include <linux/gfp.h>
#include <linux/mm.h>
#include <linux/slab.h>
#include <linux/vmalloc.h>
#include <linux/workqueue.h>

#include "bench.h"

struct member {
	struct work_struct work;
	kalloc_bench_job job;
	void *arg;
	unsigned int nth;
	int ret;
};

static void run(struct work_struct *work)
{
	struct member *member = container_of(work, struct member, work);

	member->ret = member->job(member->arg, member->nth);
}

/* Runs the job on every online CPU at the same time. Returns the first error, or 0. */
int kalloc_bench_on_cpus(kalloc_bench_job job, void *arg)
{
	struct member *members = kcalloc(nr_cpu_ids, sizeof(*members), GFP_KERNEL);
	unsigned int cpu, nth = 0;
	int ret = 0;

	if (!members)
		return -ENOMEM;
	cpus_read_lock();
	for_each_online_cpu(cpu) {
		members[cpu] = (struct member){ .job = job, .arg = arg, .nth = nth++ };
		INIT_WORK(&members[cpu].work, run);
		queue_work_on(cpu, system_percpu_wq, &members[cpu].work);
	}
	for_each_online_cpu(cpu) {
		flush_work(&members[cpu].work);
		if (!ret)
			ret = members[cpu].ret;
	}
	cpus_read_unlock();
	kfree(members);
	return ret;
}

/* No CPU goes online or offline during a benchmark. */
unsigned int kalloc_bench_cpus(void)
{
	return num_online_cpus();
}

struct plan {
	unsigned long n;
	unsigned long order;
	void **blocks;
	kalloc_bench_job each;
};

/* The jobs for one size, which the compiler knows. */
#define JOBS(size)							\
static int pairs_##size(void *arg, unsigned int nth)			\
{									\
	struct plan *plan = arg;					\
	unsigned long i;						\
									\
	for (i = 0; i < plan->n; i++) {					\
		void *block = kmalloc(size, GFP_KERNEL);		\
									\
		if (!block)						\
			return -ENOMEM;					\
		touch(block);						\
		kfree(block);						\
	}								\
	return 0;							\
}									\
									\
static int alloc_##size(void *arg, unsigned int nth)			\
{									\
	struct plan *plan = arg;					\
	void **blocks = plan->blocks + nth * plan->n;			\
	unsigned long i;						\
									\
	for (i = 0; i < plan->n; i++) {					\
		blocks[i] = kmalloc(size, GFP_KERNEL);			\
		if (!blocks[i])						\
			return -ENOMEM;					\
		touch(blocks[i]);					\
	}								\
	return 0;							\
}

JOBS(8)
JOBS(16)
JOBS(32)
JOBS(64)
JOBS(128)
JOBS(256)
JOBS(512)
JOBS(1024)
JOBS(2048)
JOBS(4096)

static int free_own(void *arg, unsigned int nth)
{
	struct plan *plan = arg;
	void **blocks = plan->blocks + nth * plan->n;
	unsigned long i;

	for (i = 0; i < plan->n; i++)
		kfree(blocks[i]);
	return 0;
}

static int pages_pairs(void *arg, unsigned int nth)
{
	struct plan *plan = arg;
	unsigned long i;

	for (i = 0; i < plan->n; i++) {
		struct page *page = alloc_pages(GFP_KERNEL, plan->order);

		if (!page)
			return -ENOMEM;
		touch(page_address(page));
		__free_pages(page, plan->order);
	}
	return 0;
}

static int pages_alloc(void *arg, unsigned int nth)
{
	struct plan *plan = arg;
	void **blocks = plan->blocks + nth * plan->n;
	unsigned long i;

	for (i = 0; i < plan->n; i++) {
		struct page *page = alloc_pages(GFP_KERNEL, plan->order);

		if (!page)
			return -ENOMEM;
		touch(page_address(page));
		blocks[i] = page;
	}
	return 0;
}

static int pages_free_own(void *arg, unsigned int nth)
{
	struct plan *plan = arg;
	void **blocks = plan->blocks + nth * plan->n;
	unsigned long i;

	for (i = 0; i < plan->n; i++)
		if (blocks[i])
			__free_pages(blocks[i], plan->order);
	return 0;
}

/* The first CPU runs the parts of all CPUs. */
static int by_one(void *arg, unsigned int nth)
{
	struct plan *plan = arg;
	unsigned int of = kalloc_bench_cpus(), who;
	int ret = 0;

	for (who = 0; nth == 0 && who < of && !ret; who++)
		ret = plan->each(plan, who);
	return ret;
}

static kalloc_bench_job alloc_of(unsigned long size)
{
	switch (size) {
	case 8:
		return alloc_8;
	case 16:
		return alloc_16;
	case 32:
		return alloc_32;
	case 64:
		return alloc_64;
	case 128:
		return alloc_128;
	case 256:
		return alloc_256;
	case 512:
		return alloc_512;
	case 1024:
		return alloc_1024;
	case 2048:
		return alloc_2048;
	case 4096:
		return alloc_4096;
	}
	return NULL;
}

static kalloc_bench_job pairs_of(unsigned long size)
{
	switch (size) {
	case 8:
		return pairs_8;
	case 16:
		return pairs_16;
	case 32:
		return pairs_32;
	case 64:
		return pairs_64;
	case 128:
		return pairs_128;
	case 256:
		return pairs_256;
	case 512:
		return pairs_512;
	case 1024:
		return pairs_1024;
	case 2048:
		return pairs_2048;
	case 4096:
		return pairs_4096;
	}
	return NULL;
}

static int nothing(void *arg, unsigned int nth)
{
	return 0;
}

/* Starts an empty job on all CPUs, twice. */
int kalloc_bench_crew(unsigned long n, unsigned long param)
{
	int ret = kalloc_bench_on_cpus(nothing, NULL);

	return ret ?: kalloc_bench_on_cpus(nothing, NULL);
}

static int in_pairs(struct plan *plan, kalloc_bench_job pairs)
{
	int ret = kalloc_bench_on_cpus(pairs, plan);

	return ret ?: kalloc_bench_on_cpus(nothing, NULL);
}

static int alloc_then_free(struct plan *plan, kalloc_bench_job alloc, bool one_allocates,
			   kalloc_bench_job free, bool one_frees)
{
	int ret;

	plan->blocks = kvcalloc(plan->n * kalloc_bench_cpus(), sizeof(*plan->blocks), GFP_KERNEL);
	if (!plan->blocks)
		return -ENOMEM;
	plan->each = alloc;
	ret = kalloc_bench_on_cpus(one_allocates ? by_one : alloc, plan);
	/* The slot of a failed allocation is NULL. */
	plan->each = free;
	ret = kalloc_bench_on_cpus(one_frees ? by_one : free, plan) ?: ret;
	kvfree(plan->blocks);
	return ret;
}

int kalloc_bench_all_pairs(unsigned long n, unsigned long size)
{
	return in_pairs(&(struct plan){ .n = n }, pairs_of(size));
}

int kalloc_bench_all_alloc_free(unsigned long n, unsigned long size)
{
	return alloc_then_free(&(struct plan){ .n = n }, alloc_of(size), false, free_own, false);
}

int kalloc_bench_remote_free(unsigned long n, unsigned long size)
{
	return alloc_then_free(&(struct plan){ .n = n }, alloc_of(size), false, free_own, true);
}

int kalloc_bench_one_allocates(unsigned long n, unsigned long size)
{
	return alloc_then_free(&(struct plan){ .n = n }, alloc_of(size), true, free_own, false);
}

int kalloc_bench_pages_all_pairs(unsigned long n, unsigned long order)
{
	return in_pairs(&(struct plan){ .n = n, .order = order }, pages_pairs);
}

int kalloc_bench_pages_all_alloc_free(unsigned long n, unsigned long order)
{
	return alloc_then_free(&(struct plan){ .n = n, .order = order }, pages_alloc, false,
			       pages_free_own, false);
}

int kalloc_bench_pages_remote_free(unsigned long n, unsigned long order)
{
	return alloc_then_free(&(struct plan){ .n = n, .order = order }, pages_alloc, false,
			       pages_free_own, true);
}

int kalloc_bench_pages_one_allocates(unsigned long n, unsigned long order)
{
	return alloc_then_free(&(struct plan){ .n = n, .order = order }, pages_alloc, true,
			       pages_free_own, false);
}
