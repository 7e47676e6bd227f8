// SPDX-License-Identifier: GPL-2.0-only

#include <linux/kconfig.h>
#include <linux/pgtable.h>
#include <linux/preempt.h>
#include <linux/sched/mm.h>
#include <linux/vmalloc.h>

void kalloc_vfree_deferred(const void *block);

/*
 * vmalloc() sleeps, which is not allowed in atomic context. The check is here
 * rather than in the caller, because the call after it is a tail call: this
 * saves a call, and a result to return.
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

void *kalloc_helper_vrealloc(const void *block, size_t size, unsigned long align, gfp_t gfp,
			     int node);
void *kalloc_helper_vrealloc(const void *block, size_t size, unsigned long align, gfp_t gfp,
			     int node)
{
	return vrealloc_node_align(block, size, align, gfp, node);
}

/*
 * Frees the block at once if the context is known to allow it, or else defers
 * the free.
 */
void kalloc_helper_vfree(const void *block);
void kalloc_helper_vfree(const void *block)
{
	if (IS_ENABLED(CONFIG_PREEMPT_COUNT) && !is_atomic())
		vfree(block);
	else
		kalloc_vfree_deferred(block);
}

/*
 * vmap() takes no flags, and allocates with GFP_KERNEL. The scope applies the
 * flags of @gfp to its allocations, as vmalloc() does for its page tables. With
 * flags that do not sleep, vmap() still sleeps, but starts no I/O.
 */
void *kalloc_helper_vmap(struct page **pages, unsigned int count, bool writable, gfp_t gfp);
void *kalloc_helper_vmap(struct page **pages, unsigned int count, bool writable, gfp_t gfp)
{
	unsigned int scope = 0;
	void *addr;

	if (gfp & (__GFP_NORETRY | __GFP_RETRY_MAYFAIL))
		scope |= PF_MEMALLOC;
	if (!(gfp & __GFP_IO))
		scope |= PF_MEMALLOC_NOIO;
	if (!(gfp & __GFP_FS))
		scope |= PF_MEMALLOC_NOFS;

	scope = memalloc_flags_save(scope);
	addr = vmap(pages, count, VM_MAP, writable ? PAGE_KERNEL : PAGE_KERNEL_RO);
	memalloc_flags_restore(scope);
	return addr;
}

bool kalloc_helper_is_vmalloc_addr(const void *addr);
bool kalloc_helper_is_vmalloc_addr(const void *addr)
{
	return is_vmalloc_addr(addr);
}
