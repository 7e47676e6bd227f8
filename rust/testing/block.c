// SPDX-License-Identifier: GPL-2.0

#include <linux/mm.h>
#include <linux/slab.h>

unsigned long kalloc_test_pages_freed(void);

/*
 * The pages that were freed since boot; 0 if the kernel does not count them. The array is too large
 * for the stack: concurrent callers get what one of them gets. For tests/kunit/context.rs.
 */
unsigned long kalloc_test_pages_freed(void)
{
	static unsigned long events[NR_VM_EVENT_ITEMS];

	all_vm_events(events);
	return READ_ONCE(events[PGFREE]);
}

const void *kalloc_test_cache_of(const void *block);

/*
 * The slab cache that a block of kmalloc's is from, as the allocator's internal header tells; NULL
 * if that is not there. For tests/kunit/kmalloc.rs.
 */

#if __has_include("mm/slab.h")
#include "mm/slab.h"

const void *kalloc_test_cache_of(const void *block)
{
	const struct slab *slab = virt_to_slab(block);

	return slab ? slab->slab_cache : NULL;
}
#else
const void *kalloc_test_cache_of(const void *block)
{
	return NULL;
}
#endif
