// SPDX-License-Identifier: GPL-2.0

#include <linux/kconfig.h>
#include <linux/pgtable.h>
#include <linux/preempt.h>
#include <linux/vmalloc.h>

void kalloc_vfree_deferred(const void *block);

/*
 * vmalloc() sleeps where it must not. The check is here rather than with the caller, since what
 * follows it is a jump: a call less, and no answer to pass on.
 */
void *kalloc_helper_vmalloc(size_t size, gfp_t gfp);
void *kalloc_helper_vmalloc(size_t size, gfp_t gfp)
{
	return is_atomic() ? NULL : __vmalloc(size, gfp);
}

void *kalloc_helper_vmalloc_nowait(size_t size, gfp_t gfp);
void *kalloc_helper_vmalloc_nowait(size_t size, gfp_t gfp)
{
	return may_map() ? __vmalloc(size, gfp) : NULL;
}

/* Here, where that is allowed for certain, or later. */
void kalloc_helper_vfree(const void *block);
void kalloc_helper_vfree(const void *block)
{
	if (IS_ENABLED(CONFIG_PREEMPT_COUNT) && !is_atomic())
		vfree(block);
	else
		kalloc_vfree_deferred(block);
}

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
