// SPDX-License-Identifier: GPL-2.0-only

#include <linux/slab.h>
#include <linux/string.h>
#include <linux/tracepoint.h>
#include <trace/events/kmem.h>

/*
 * The bits of the result of a bulk allocation: a `bool`, or in older kernels an
 * `int`.
 */
const size_t KALLOC_CONST_BULK_RESULT =
	sizeof(kmem_cache_alloc_bulk_noprof(NULL, 0, 0, NULL)) == 1 ? 1 : 0xffffffff;

/*
 * Waits for all running probes: tracepoints use an SRCU or RCU domain, fprobes
 * and kprobes disable preemption.
 */
void kalloc_helper_trace_synchronize(void);
void kalloc_helper_trace_synchronize(void)
{
	tracepoint_synchronize_unregister();
	synchronize_rcu();
}

/*
 * Each of these functions registers or unregisters a probe. The C compiler
 * checks the probe's type against that of the tracepoint.
 */
int kalloc_helper_trace_kmalloc(void (*probe)(void *data, unsigned long call_site, const void *ptr,
					      size_t bytes_req, size_t bytes_alloc,
					      gfp_t gfp_flags, int node),
				void *data, bool on);
int kalloc_helper_trace_kmalloc(void (*probe)(void *data, unsigned long call_site, const void *ptr,
					      size_t bytes_req, size_t bytes_alloc,
					      gfp_t gfp_flags, int node),
				void *data, bool on)
{
	return on ? register_trace_kmalloc(probe, data) : unregister_trace_kmalloc(probe, data);
}

int kalloc_helper_trace_kmem_cache_alloc(void (*probe)(void *data, unsigned long call_site,
						       const void *ptr, struct kmem_cache *s,
						       gfp_t gfp_flags, int node),
					 void *data, bool on);
int kalloc_helper_trace_kmem_cache_alloc(void (*probe)(void *data, unsigned long call_site,
						       const void *ptr, struct kmem_cache *s,
						       gfp_t gfp_flags, int node),
					 void *data, bool on)
{
	return on ? register_trace_kmem_cache_alloc(probe, data) :
		    unregister_trace_kmem_cache_alloc(probe, data);
}

int kalloc_helper_trace_kfree(void (*probe)(void *data, unsigned long call_site, const void *ptr),
			      void *data, bool on);
int kalloc_helper_trace_kfree(void (*probe)(void *data, unsigned long call_site, const void *ptr),
			      void *data, bool on)
{
	return on ? register_trace_kfree(probe, data) : unregister_trace_kfree(probe, data);
}

int kalloc_helper_trace_kmem_cache_free(void (*probe)(void *data, unsigned long call_site,
						      const void *ptr, const struct kmem_cache *s),
					void *data, bool on);
int kalloc_helper_trace_kmem_cache_free(void (*probe)(void *data, unsigned long call_site,
						      const void *ptr, const struct kmem_cache *s),
					void *data, bool on)
{
	return on ? register_trace_kmem_cache_free(probe, data) :
		    unregister_trace_kmem_cache_free(probe, data);
}

struct kalloc_tracepoint_search {
	const char *name;
	struct tracepoint *found;
};

static void __maybe_unused kalloc_tracepoint_match(struct tracepoint *tp, void *data)
{
	struct kalloc_tracepoint_search *search = data;

	if (!strcmp(tp->name, search->name))
		search->found = tp;
}

/* The kernel does not export this tracepoint, but lists it. */
int kalloc_helper_trace_mm_page_free(void (*probe)(void *data, struct page *page,
						   unsigned int order),
				     void *data, bool on);
int kalloc_helper_trace_mm_page_free(void (*probe)(void *data, struct page *page,
						   unsigned int order),
				     void *data, bool on)
{
	__maybe_unused struct kalloc_tracepoint_search search = { .name = "mm_page_free" };

	check_trace_callback_type_mm_page_free(probe);
#ifdef CONFIG_TRACEPOINTS
	for_each_kernel_tracepoint(kalloc_tracepoint_match, &search);
	if (!search.found)
		return -ENOENT;
	return on ? tracepoint_probe_register(search.found, probe, data) :
		    tracepoint_probe_unregister(search.found, probe, data);
#else
	return -EOPNOTSUPP;
#endif
}
