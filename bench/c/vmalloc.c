// SPDX-License-Identifier: GPL-2.0-only
/*
 * vmalloc.
 */

#include <linux/mm.h>
#include <linux/vmalloc.h>

#include "bench.h"

int kalloc_bench_vmalloc(unsigned long n, unsigned long pages)
{
	while (n--) {
		void *block = vmalloc(pages * PAGE_SIZE);

		if (!block)
			return -ENOMEM;
		touch(block);
		vfree(block);
	}
	return 0;
}

/* Allocates without sleeping. */
int kalloc_bench_vmalloc_nowait(unsigned long n, unsigned long pages)
{
	while (n--) {
		void *block = __vmalloc(pages * PAGE_SIZE, GFP_NOWAIT);

		if (!block)
			return -ENOMEM;
		touch(block);
		vfree(block);
	}
	return 0;
}

/* 1 to 100 pages, in the same sequence on each side. */
int kalloc_bench_vmalloc_random(unsigned long n, unsigned long seed)
{
	u32 state = seed;

	while (n--) {
		void *block;

		state = state * 1664525 + 1013904223;
		block = vmalloc((1 + (state >> 16) % 100) * PAGE_SIZE);
		if (!block)
			return -ENOMEM;
		touch(block);
		vfree(block);
	}
	return 0;
}

/* Resizes to one page, four, one, half a page, and one. */
int kalloc_bench_vrealloc(unsigned long n, unsigned long page)
{
	const size_t sizes[] = { page, 4 * page, page, page / 2, page };

	while (n--) {
		void *block = NULL;
		unsigned int i;

		for (i = 0; i < ARRAY_SIZE(sizes); i++) {
			void *resized = vrealloc(block, sizes[i], GFP_KERNEL | __GFP_ZERO);

			if (!resized) {
				vfree(block);
				return -ENOMEM;
			}
			block = resized;
			touch(block);
		}
		vfree(block);
	}
	return 0;
}

/*
 * The kernel collects freed ranges and purges them together, later. This purges
 * them now, so that no side pays for the one that was measured before.
 */
void kalloc_bench_vmalloc_settle(void)
{
	vm_unmap_aliases();
}
