// SPDX-License-Identifier: GPL-2.0-only
/*
 * Facts about memory that only the kernel has, for tests: if it is free, its
 * slab cache, the flags of an allocator call, and the kernel's warnings.
 */

#include <kunit/test.h>
#include <linux/gfp.h>
#include <linux/kasan.h>
#include <linux/mm.h>
#include <linux/panic.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/string.h>
#include <linux/tracepoint.h>
#include <linux/vmalloc.h>
#include <trace/events/kmem.h>

/*
 * Returns 1 if the memory at an address is free, 0 if it is allocated, and -1
 * if this kernel keeps no record.
 */
int kalloc_test_is_free(unsigned long addr);
int kalloc_test_is_free(unsigned long addr)
{
	if (is_vmalloc_addr((void *)addr))
		return !vmalloc_to_page((void *)addr);
#ifdef CONFIG_KASAN_GENERIC
	return *(s8 *)kasan_mem_to_shadow((void *)addr) < 0;
#else
	return -1;
#endif
}

/*
 * Returns the number of references to the nth page from a block's first page.
 */
int kalloc_test_page_refs(const void *block, unsigned long nth);
int kalloc_test_page_refs(const void *block, unsigned long nth)
{
	return page_ref_count(virt_to_page(block) + nth);
}

/*
 * Returns true if the kernel has warned since boot, for example about sleeping
 * in atomic context.
 */
bool kalloc_test_has_warned(void);
bool kalloc_test_has_warned(void)
{
	return test_taint(TAINT_WARN);
}

/*
 * Gives the thread of a case an address space without mappings. User-Mode Linux
 * panics on an access to user space without it.
 */
int kalloc_test_attach_mm(void);
int kalloc_test_attach_mm(void)
{
	return kunit_attach_mm();
}

/*
 * Reads the offset and the size of the usercopy region of an object's cache,
 * and the offset of the free pointer in a free object. Returns false without
 * the allocator's internal header, which declares them.
 */
bool kalloc_test_cache(const void *object, unsigned int facts[3]);

#if __has_include("mm/slab.h")
#include "mm/slab.h"

bool kalloc_test_cache(const void *object, unsigned int facts[3])
{
	const struct slab *slab = virt_to_slab(object);

	if (!slab)
		return false;
	facts[0] = 0;
	facts[1] = 0;
#ifdef CONFIG_HARDENED_USERCOPY
	facts[0] = slab->slab_cache->useroffset;
	facts[1] = slab->slab_cache->usersize;
#endif
	facts[2] = slab->slab_cache->offset;
	return true;
}
#else
bool kalloc_test_cache(const void *object, unsigned int facts[3])
{
	return false;
}
#endif

/*
 * The thread whose calls are recorded, their number, and the union of their
 * flags.
 */
static struct task_struct *watched;
static unsigned int calls;
static gfp_t flags;

#ifdef CONFIG_TRACEPOINTS
/* An address, and the function to call when it is freed. */
static const void *awaited;
static void (*on_free)(void);

static void record(gfp_t gfp)
{
	if (READ_ONCE(watched) == current && !in_interrupt()) {
		calls++;
		flags |= gfp;
	}
}

static void probe_kmalloc(void *data, unsigned long site, const void *ptr, size_t requested,
			  size_t allocated, gfp_t gfp, int node)
{
	record(gfp);
}

static void probe_cache_alloc(void *data, unsigned long site, const void *ptr,
			      struct kmem_cache *s, gfp_t gfp, int node)
{
	record(gfp);
}

static void probe_page_alloc(void *data, struct page *page, unsigned int order, gfp_t gfp,
			     int migratetype)
{
	record(gfp);
}

static void probe_kfree(void *data, unsigned long site, const void *ptr)
{
	if (ptr && READ_ONCE(awaited) == ptr) {
		WRITE_ONCE(awaited, NULL);
		on_free();
	}
}

/* The tracepoint of pages is not exported, but is in the kernel's list. */
static void find_page_alloc(struct tracepoint *tp, void *found)
{
	if (!strcmp(tp->name, "mm_page_alloc"))
		*(struct tracepoint **)found = tp;
}

static struct tracepoint *page_alloc(void)
{
	struct tracepoint *found = NULL;

	for_each_kernel_tracepoint(find_page_alloc, &found);
	return found;
}
#endif

/*
 * Starts recording the current thread's calls. Returns true if this kernel can.
 */
bool kalloc_test_watch(void);
bool kalloc_test_watch(void)
{
	calls = 0;
	flags = 0;
#ifdef CONFIG_TRACEPOINTS
	if (!page_alloc() || register_trace_kmalloc(probe_kmalloc, NULL))
		return false;
	if (register_trace_kmem_cache_alloc(probe_cache_alloc, NULL))
		goto no_cache_alloc;
	if (tracepoint_probe_register(page_alloc(), probe_page_alloc, NULL))
		goto no_page_alloc;
	WRITE_ONCE(watched, current);
	return true;

no_page_alloc:
	unregister_trace_kmem_cache_alloc(probe_cache_alloc, NULL);
no_cache_alloc:
	unregister_trace_kmalloc(probe_kmalloc, NULL);
#endif
	return false;
}

/*
 * Ends recording. Returns the number of calls, negated if one requested a zone.
 */
int kalloc_test_watched(void);
int kalloc_test_watched(void)
{
	WRITE_ONCE(watched, NULL);
#ifdef CONFIG_TRACEPOINTS
	tracepoint_probe_unregister(page_alloc(), probe_page_alloc, NULL);
	unregister_trace_kmem_cache_alloc(probe_cache_alloc, NULL);
	unregister_trace_kmalloc(probe_kmalloc, NULL);
	tracepoint_synchronize_unregister();
#endif
	return flags & (__GFP_HIGHMEM | __GFP_DMA32) ? -(int)calls : (int)calls;
}

/*
 * Calls a function when kfree() receives an address; NULL ends the wait.
 * Returns -EOPNOTSUPP without tracepoints.
 */
int kalloc_test_await_free(const void *address, void (*function)(void));
int kalloc_test_await_free(const void *address, void (*function)(void))
{
#ifdef CONFIG_TRACEPOINTS
	if (address) {
		on_free = function;
		WRITE_ONCE(awaited, address);
		return register_trace_kfree(probe_kfree, NULL);
	}
	WRITE_ONCE(awaited, NULL);
	unregister_trace_kfree(probe_kfree, NULL);
	tracepoint_synchronize_unregister();
	return 0;
#else
	return -EOPNOTSUPP;
#endif
}
