// SPDX-License-Identifier: GPL-2.0
/*
 * The slab cache that a block of kmalloc's is from, as the allocator's internal header tells; NULL
 * if that is not there. For tests/kunit/kmalloc.rs.
 */

#include <linux/slab.h>

const void *kalloc_test_cache_of(const void *block);

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
