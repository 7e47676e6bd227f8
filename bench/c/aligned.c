// SPDX-License-Identifier: GPL-2.0-only
/*
 * vmalloc with an alignment. Modules cannot call __vmalloc_node(), so that
 * vrealloc_node_align() allocates a new block here.
 */

#include <linux/align.h>
#include <linux/mm.h>
#include <linux/vmalloc.h>

#include "bench.h"

static int pair(unsigned long size, unsigned long align)
{
	void *block;

	if (align <= PAGE_SIZE)
		block = vmalloc(size);
	else
		block = vrealloc_node_align(NULL, size, align, GFP_KERNEL, NUMA_NO_NODE);
	if (!block)
		return -ENOMEM;
	touch(block);
	vfree(block);
	return 0;
}

/* Measures a block that is aligned to its size. */
int kalloc_bench_vmalloc_aligned(unsigned long n, unsigned long size)
{
	int ret = 0;

	while (n-- && !ret)
		ret = pair(size, size);
	return ret;
}

/*
 * Up to 10 pages, aligned to up to 4 MiB, in the same sequence on each side;
 * sizes are multiples of it.
 */
int kalloc_bench_vmalloc_random_aligned(unsigned long n, unsigned long seed)
{
	u32 state = seed;
	int ret = 0;

	while (n-- && !ret) {
		unsigned long align, random;

		state = state * 1664525 + 1013904223;
		random = state >> 16;
		align = max(1UL << random % 23, PAGE_SIZE);
		ret = pair(ALIGN((random % 10 + 1) * PAGE_SIZE, align), align);
	}
	return ret;
}
