// SPDX-License-Identifier: GPL-2.0

#include <linux/kfence.h>
#include <linux/mm.h>
#include <linux/slab.h>
#include <linux/vmalloc.h>

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
 * Where a block is from, and how many bytes it takes, as its allocator has it. The tests compare
 * that with what the sites count.
 */

size_t kalloc_test_footprint(const void *block, size_t size);

/* The allocator's internal header has the slab of a block; without it there is no answer. */
#if __has_include("mm/slab.h")
#include "mm/slab.h"

const void *kalloc_test_cache_of(const void *block)
{
	const struct slab *slab = virt_to_slab(block);

	return slab ? slab->slab_cache : NULL;
}

static size_t object_footprint(const void *object)
{
	struct kmem_cache *s = virt_to_slab(object)->slab_cache;

	if (!is_kmalloc_cache(s))
		return s->size;
	/* KFENCE guards a block that ends where the request does. */
	return is_kfence_address(object) ? s->object_size : ksize(object);
}
#else
const void *kalloc_test_cache_of(const void *block)
{
	return NULL;
}

static size_t object_footprint(const void *object)
{
	return 0;
}
#endif

/* All that is mapped up to the guard page: area->nr_pages, but modules have no find_vm_area(). */
static size_t area_footprint(const void *block)
{
	size_t bytes = 0;

	while (vmalloc_to_page(block + bytes))
		bytes += PAGE_SIZE;
	return bytes;
}

/*
 * Of a compound page, its order. The page allocator does not know the size of other blocks while
 * they are live: either only the first page has a reference, or all have. The free pages have none
 * either.
 */
static size_t pages_footprint(struct page *head, size_t size)
{
	int tail_references = size > PAGE_SIZE ? page_ref_count(head + 1) : 0;
	size_t i;

	if (PageCompound(head))
		return page_size(head);
	for (i = 0; i < size / PAGE_SIZE; i++) {
		if (PageBuddy(head + i) || PageSlab(head + i) || PageCompound(head + i) ||
		    page_ref_count(head + i) != (i ? tail_references : 1))
			return 0;
	}
	return tail_references > 1 ? 0 : i * PAGE_SIZE;
}

/*
 * Returns the bytes that a live block takes, of which `size` were requested; 0 if the kernel cannot
 * tell, or has no block of that size there.
 */
size_t kalloc_test_footprint(const void *block, size_t size)
{
	struct page *page;

	if (is_vmalloc_addr(block))
		return area_footprint(block);
	page = virt_to_page(block);
	if (folio_test_slab(page_folio(page)))
		return object_footprint(block);
	if (folio_test_large_kmalloc(page_folio(page)))
		return ksize(block);
	return pages_footprint(page, size);
}
