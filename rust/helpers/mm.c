// SPDX-License-Identifier: GPL-2.0-only

#include <linux/mm.h>
#include <linux/preempt.h>
#include <linux/vmstat.h>

bool kalloc_helper_virt_addr_valid(const void *addr);
bool kalloc_helper_virt_addr_valid(const void *addr)
{
	return virt_addr_valid(addr);
}

bool kalloc_helper_is_slab(const void *addr);
bool kalloc_helper_is_slab(const void *addr)
{
	return folio_test_slab(virt_to_folio(addr));
}

const char *kalloc_helper_zone_name(const struct page *page);
const char *kalloc_helper_zone_name(const struct page *page)
{
	return page_zone(page)->name;
}

unsigned long kalloc_helper_nr_free_pages(void);
unsigned long kalloc_helper_nr_free_pages(void)
{
	return global_zone_page_state(NR_FREE_PAGES);
}

bool kalloc_helper_want_init_on_alloc(gfp_t gfp);
bool kalloc_helper_want_init_on_alloc(gfp_t gfp)
{
	return want_init_on_alloc(gfp);
}

bool kalloc_helper_preemptible(void);
bool kalloc_helper_preemptible(void)
{
	return preemptible();
}
