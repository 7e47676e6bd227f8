// SPDX-License-Identifier: GPL-2.0

#include <linux/pgtable.h>
#include <linux/vmalloc.h>

void *kalloc_helper_vmap(struct page **pages, unsigned int count);
void *kalloc_helper_vmap(struct page **pages, unsigned int count)
{
	return vmap(pages, count, VM_MAP, PAGE_KERNEL);
}

void *kalloc_helper_vmap_ro(struct page **pages, unsigned int count);
void *kalloc_helper_vmap_ro(struct page **pages, unsigned int count)
{
	return vmap(pages, count, VM_MAP, PAGE_KERNEL_RO);
}
