// SPDX-License-Identifier: GPL-2.0-only
/*
 * Contiguous mappings of existing pages.
 */

#include <linux/gfp.h>
#include <linux/mm.h>
#include <linux/slab.h>
#include <linux/vmalloc.h>

#include "bench.h"

typedef void *(*map_t)(struct page **pages, unsigned int count);
typedef void (*unmap_t)(void *mapped, unsigned int count);

static __always_inline int mapped(unsigned long n, unsigned long count, map_t map, unmap_t unmap)
{
	struct page **pages = kcalloc(count, sizeof(*pages), GFP_KERNEL);
	unsigned long i, got;
	int ret = 0;

	if (!pages)
		return -ENOMEM;
	got = alloc_pages_bulk(GFP_KERNEL | __GFP_ZERO, count, pages);
	if (got < count)
		ret = -ENOMEM;
	while (n-- && !ret) {
		void *block = map(pages, count);

		if (!block) {
			ret = -ENOMEM;
			break;
		}
		touch(block);
		unmap(block, count);
	}
	for (i = 0; i < got; i++)
		__free_page(pages[i]);
	kfree(pages);
	return ret;
}

static __always_inline void *by_vmap(struct page **pages, unsigned int count)
{
	return vmap(pages, count, VM_MAP, PAGE_KERNEL);
}

static __always_inline void by_vunmap(void *block, unsigned int count)
{
	vunmap(block);
}

int kalloc_bench_vmap(unsigned long n, unsigned long count)
{
	return mapped(n, count, by_vmap, by_vunmap);
}

static __always_inline void *by_vm_map_ram(struct page **pages, unsigned int count)
{
	return vm_map_ram(pages, count, NUMA_NO_NODE);
}

static __always_inline void by_vm_unmap_ram(void *block, unsigned int count)
{
	vm_unmap_ram(block, count);
}

int kalloc_bench_vm_map_ram(unsigned long n, unsigned long count)
{
	return mapped(n, count, by_vm_map_ram, by_vm_unmap_ram);
}
