// SPDX-License-Identifier: GPL-2.0
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

/*
 * Freed ranges are gathered and given up together, later: do it now, so that no
 * side pays for the one that was measured before.
 */
void kalloc_bench_vmalloc_settle(void)
{
	vm_unmap_aliases();
}
