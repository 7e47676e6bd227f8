// SPDX-License-Identifier: GPL-2.0-only
/*
 * Pages that one CPU passes to another through a ring.
 */

#include <linux/gfp.h>
#include <linux/mm.h>
#include <linux/ptr_ring.h>
#include <linux/slab.h>

#include "bench.h"

struct plan {
	unsigned long n;
	unsigned long order;
	struct ptr_ring *rings;
};

static int produce(void *arg, unsigned int nth)
{
	struct plan *plan = arg;
	unsigned long i;

	for (i = 0; i < plan->n; i++) {
		struct page *page = alloc_pages(GFP_KERNEL, plan->order);

		if (!page)
			return -ENOMEM;
		touch(page_address(page));
		if (ptr_ring_produce(&plan->rings[nth], page)) {
			__free_pages(page, plan->order);
			return -ENOSPC;
		}
	}
	return 0;
}

/* Frees the blocks of the next CPU. */
static int consume(void *arg, unsigned int nth)
{
	struct plan *plan = arg;
	struct ptr_ring *ring = &plan->rings[(nth + 1) % kalloc_bench_cpus()];
	struct page *page;

	while ((page = ptr_ring_consume(ring)))
		__free_pages(page, plan->order);
	return 0;
}

int kalloc_bench_pages_ring(unsigned long n, unsigned long order)
{
	struct plan plan = { .n = n, .order = order };
	unsigned int of = kalloc_bench_cpus(), made;
	int ret = 0;

	plan.rings = kcalloc(of, sizeof(*plan.rings), GFP_KERNEL);
	if (!plan.rings)
		return -ENOMEM;
	for (made = 0; made < of && !ret; made++)
		ret = ptr_ring_init(&plan.rings[made], n, GFP_KERNEL);
	if (ret)
		made--;
	else
		ret = kalloc_bench_on_cpus(produce, &plan);
	if (made == of)
		ret = kalloc_bench_on_cpus(consume, &plan) ?: ret;
	while (made--)
		ptr_ring_cleanup(&plan.rings[made], NULL);
	kfree(plan.rings);
	return ret;
}
