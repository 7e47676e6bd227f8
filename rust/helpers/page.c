// SPDX-License-Identifier: GPL-2.0-only

#include <linux/gfp.h>
#include <linux/mm.h>
#include <linux/mmzone.h>
#include <linux/nodemask.h>

unsigned long kalloc_helper_get_free_pages(gfp_t gfp, unsigned int order);
unsigned long kalloc_helper_get_free_pages(gfp_t gfp, unsigned int order)
{
	return __get_free_pages(gfp, order);
}

struct page *kalloc_helper_alloc_pages(gfp_t gfp, unsigned int order);
struct page *kalloc_helper_alloc_pages(gfp_t gfp, unsigned int order)
{
	return alloc_pages(gfp, order);
}

void *kalloc_helper_alloc_pages_exact(size_t size, gfp_t gfp);
void *kalloc_helper_alloc_pages_exact(size_t size, gfp_t gfp)
{
	return alloc_pages_exact(size, gfp);
}

unsigned long kalloc_helper_alloc_pages_bulk(gfp_t gfp, unsigned long nr, struct page **pages);
unsigned long kalloc_helper_alloc_pages_bulk(gfp_t gfp, unsigned long nr, struct page **pages)
{
	return alloc_pages_bulk(gfp, nr, pages);
}

void *kalloc_helper_page_address(const struct page *page);
void *kalloc_helper_page_address(const struct page *page)
{
	return page_address(page);
}

struct page *kalloc_helper_virt_to_page(const void *addr);
struct page *kalloc_helper_virt_to_page(const void *addr)
{
	return virt_to_page(addr);
}

unsigned long kalloc_helper_page_to_pfn(const struct page *page);
unsigned long kalloc_helper_page_to_pfn(const struct page *page)
{
	return page_to_pfn(page);
}

unsigned int kalloc_helper_page_zonenum(const struct page *page);
unsigned int kalloc_helper_page_zonenum(const struct page *page)
{
	return page_zonenum(page);
}

/*
 * Returns the zones from which memory with these flags may come, as a bit mask.
 * They are those of this node's zone list, which begins with the highest zone
 * that the flags allow.
 */
unsigned int kalloc_helper_zones(gfp_t gfp);
unsigned int kalloc_helper_zones(gfp_t gfp)
{
	struct zoneref *ref = node_zonelist(numa_node_id(), gfp)->_zonerefs;
	unsigned int zones = 0;

	for (; zonelist_zone(ref); ref++) {
		if (zonelist_zone_idx(ref) <= gfp_zone(gfp))
			zones |= 1u << zonelist_zone_idx(ref);
	}
	return zones;
}

void kalloc_helper_get_page(struct page *page);
void kalloc_helper_get_page(struct page *page)
{
	get_page(page);
}

int kalloc_helper_page_ref_count(const struct page *page);
int kalloc_helper_page_ref_count(const struct page *page)
{
	return page_ref_count(page);
}

unsigned long *kalloc_helper_page_private(struct page *page);
unsigned long *kalloc_helper_page_private(struct page *page)
{
	return &page_private(page);
}

unsigned long kalloc_helper_totalram_pages(void);
unsigned long kalloc_helper_totalram_pages(void)
{
	return totalram_pages();
}

bool kalloc_helper_node_online(int node);
bool kalloc_helper_node_online(int node)
{
	return node_online(node);
}
