// SPDX-License-Identifier: GPL-2.0

#include <linux/slab.h>

/* The macros, for configurations in which kmalloc() is more than its parts. */
void *kalloc_helper_kmalloc_node(size_t size, gfp_t gfp, int node);
void *kalloc_helper_kmalloc_node(size_t size, gfp_t gfp, int node)
{
	return kmalloc_node(size, gfp, node);
}

void *kalloc_helper_krealloc_node_align(const void *p, size_t size, unsigned long align,
					gfp_t gfp, int node);
void *kalloc_helper_krealloc_node_align(const void *p, size_t size, unsigned long align,
					gfp_t gfp, int node)
{
	return krealloc_node_align(p, size, align, gfp, node);
}

void *kalloc_helper_kvrealloc_node_align(const void *p, size_t size, unsigned long align,
					 gfp_t gfp, int node);
void *kalloc_helper_kvrealloc_node_align(const void *p, size_t size, unsigned long align,
					 gfp_t gfp, int node)
{
	return kvrealloc_node_align(p, size, align, gfp, node);
}

/*
 * What /proc/slabinfo says of a cache: bytes per object with all its metadata,
 * objects per slab, pages per slab. Only the allocator's internal header knows.
 * Without it (a build tree without the kernel's source) all three are 0.
 */
void kalloc_helper_slab_shape(struct kmem_cache *s, unsigned int shape[3]);
#ifndef __BINDGEN__
#if __has_include("mm/slab.h")
#include "mm/slab.h"

void kalloc_helper_slab_shape(struct kmem_cache *s, unsigned int shape[3])
{
	shape[0] = s->size;
	shape[1] = s->oo.x & ((1u << 16) - 1);
	shape[2] = 1u << (s->oo.x >> 16);
}
#else
void kalloc_helper_slab_shape(struct kmem_cache *s, unsigned int shape[3])
{
	shape[0] = 0;
	shape[1] = 0;
	shape[2] = 0;
}
#endif
#endif
