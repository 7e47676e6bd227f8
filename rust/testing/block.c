// SPDX-License-Identifier: GPL-2.0-only

#include <linux/kfence.h>
#include <linux/mm.h>
#include <linux/slab.h>
#include <linux/vmalloc.h>

unsigned long kalloc_test_pages_freed(void);

/*
 * Returns the number of pages freed since boot, or 0 if the kernel does not
 * count them. The array is too large for the stack; concurrent callers get the
 * result of one of them. For tests/kunit/context.rs.
 */
unsigned long kalloc_test_pages_freed(void)
{
	static unsigned long events[NR_VM_EVENT_ITEMS];

	all_vm_events(events);
	return READ_ONCE(events[PGFREE]);
}

const void *kalloc_test_cache_of(const void *block);

/*
 * Origin and footprint of a block, as its allocator records them. The tests
 * compare them with the counters of the sites.
 */

size_t kalloc_test_footprint(const void *block, size_t size);

/*
 * The allocator's internal header declares the slab of a block. Without it, the
 * result is "unknown".
 */
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
	/* KFENCE places a guard page directly behind the requested bytes. */
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

/*
 * Counts the mapped pages up to the guard page. area->nr_pages has this number,
 * but find_vm_area() is not exported to modules.
 */
static size_t area_footprint(const void *block)
{
	size_t bytes = 0;

	while (vmalloc_to_page(block + bytes))
		bytes += PAGE_SIZE;
	return bytes;
}

/*
 * Returns the size of a compound page by its order. The page allocator does not
 * record the size of other live blocks: either only the first page has a
 * reference, or all pages have one. Free pages have no reference either.
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
 * Returns the bytes that a live block takes, of which `size` were requested.
 * Returns 0 if the kernel does not know them, or has no block of that size
 * there.
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
