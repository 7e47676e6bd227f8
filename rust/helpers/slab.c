// SPDX-License-Identifier: GPL-2.0-only

#include <linux/hash.h>
#include <linux/log2.h>
#include <linux/slab.h>

/*
 * Partitioned caches of kmalloc are selected by the call site, or by a type
 * that clang finds there. In these helpers, both would be equal for all
 * allocation sites. The token is therefore computed from the site.
 */
static __always_inline kmalloc_token_t token_of(unsigned long site)
{
#if defined(CONFIG_KMALLOC_PARTITION_RANDOM)
	return (kmalloc_token_t){ .v = site };
#elif defined(CONFIG_KMALLOC_PARTITION_TYPED)
	return (kmalloc_token_t){ .v = hash_long(site, ilog2(KMALLOC_PARTITION_CACHES_NR + 1)) };
#else
	return (kmalloc_token_t){};
#endif
}

/*
 * These use macros, for configurations in which kmalloc() has additional
 * arguments.
 */
void *kalloc_helper_kmalloc_node(size_t size, gfp_t gfp, int node, unsigned long site);
void *kalloc_helper_kmalloc_node(size_t size, gfp_t gfp, int node, unsigned long site)
{
	return alloc_hooks(_kmalloc_node_noprof(size, gfp, node, token_of(site)));
}

/*
 * Rust calls these functions instead of the kernel's for Rust, which the linker
 * redirects in a driver whose other allocations are counted at link time.
 */
void *kalloc_helper_krealloc(const void *block, size_t size, unsigned long align, gfp_t gfp,
			     int node, unsigned long site);
void *kalloc_helper_krealloc(const void *block, size_t size, unsigned long align, gfp_t gfp,
			     int node, unsigned long site)
{
	return alloc_hooks(krealloc_node_align_noprof(block,
						      PASS_TOKEN_PARAMS(size, token_of(site)),
						      align, gfp, node));
}

void *kalloc_helper_kvrealloc(const void *block, size_t size, unsigned long align, gfp_t gfp,
			      int node, unsigned long site);
void *kalloc_helper_kvrealloc(const void *block, size_t size, unsigned long align, gfp_t gfp,
			      int node, unsigned long site)
{
	return alloc_hooks(kvrealloc_node_align_noprof(block,
						       PASS_TOKEN_PARAMS(size, token_of(site)),
						       align, gfp, node));
}

void *kalloc_helper_kmalloc_cache(struct kmem_cache *s, gfp_t gfp, size_t size);
void *kalloc_helper_kmalloc_cache(struct kmem_cache *s, gfp_t gfp, size_t size)
{
	return alloc_hooks(__kmalloc_cache_noprof(s, gfp, size));
}

void *kalloc_helper_kmem_cache_alloc(struct kmem_cache *s, gfp_t gfp);
void *kalloc_helper_kmem_cache_alloc(struct kmem_cache *s, gfp_t gfp)
{
	return kmem_cache_alloc(s, gfp);
}

bool kalloc_helper_kmem_cache_alloc_bulk(struct kmem_cache *s, gfp_t gfp, size_t nr, void **p);
bool kalloc_helper_kmem_cache_alloc_bulk(struct kmem_cache *s, gfp_t gfp, size_t nr, void **p)
{
	return kmem_cache_alloc_bulk(s, gfp, nr, p);
}

/*
 * Reads the geometry of a cache, as in /proc/slabinfo: bytes per object with
 * all metadata, objects per slab, pages per slab. Only the allocator's internal
 * header declares them. Without it (a build tree without the kernel's source)
 * all three are 0.
 */
void kalloc_helper_slab_shape(struct kmem_cache *s, unsigned int shape[3]);

/*
 * Returns the bytes that an object of `size` bytes, aligned to `align`, takes
 * with all metadata in a cache like `s`. The objects of `s` are smaller by
 * whole pages. Without the internal header, the result contains no metadata.
 */
size_t kalloc_helper_slab_needs(struct kmem_cache *s, unsigned int size, unsigned int align);

/*
 * Returns true if /sys/kernel/slab has an entry of this name: a cache, or an
 * alias of one. Returns false without the internal header, or without sysfs.
 */
bool kalloc_helper_slab_name_taken(const char *name);

#ifndef __BINDGEN__
#if __has_include("mm/slab.h")
#include "mm/slab.h"

void kalloc_helper_slab_shape(struct kmem_cache *s, unsigned int shape[3])
{
	shape[0] = s->size;
	shape[1] = s->oo.x & ((1u << 16) - 1);
	shape[2] = 1u << (s->oo.x >> 16);
}

/* The computation follows calculate_sizes() and kasan_cache_create(). */
size_t kalloc_helper_slab_needs(struct kmem_cache *s, unsigned int size, unsigned int align)
{
	size_t larger = size - s->object_size;
	size_t needs = s->size + larger;
	size_t red_zone = 0;

#ifdef CONFIG_SLUB_DEBUG
	red_zone = s->red_left_pad;
	needs -= red_zone;
#endif
#ifdef CONFIG_KASAN_GENERIC
	/*
	 * KASAN omits metadata that do not fit, but a red zone is added to its
	 * size.
	 */
	if ((s->flags & SLAB_KASAN) && !red_zone &&
	    s->kasan_info.alloc_meta_offset + larger <= KMALLOC_MAX_SIZE)
		needs = min(needs, KMALLOC_MAX_SIZE);
#endif
	align = max(align, s->align);
	if (red_zone)
		red_zone = ALIGN(sizeof(void *), align);
	return ALIGN(needs, align) + red_zone;
}
#else
void kalloc_helper_slab_shape(struct kmem_cache *s, unsigned int shape[3])
{
	shape[0] = 0;
	shape[1] = 0;
	shape[2] = 0;
}

size_t kalloc_helper_slab_needs(struct kmem_cache *s, unsigned int size, unsigned int align)
{
	return ALIGN(size, align);
}
#endif

#ifdef SLAB_SUPPORTS_SYSFS
#include <linux/kernfs.h>

bool kalloc_helper_slab_name_taken(const char *name)
{
	/* Every cache points to the directory that contains all of them. */
	struct kset *slabs = kmalloc_caches[KMALLOC_NORMAL][KMALLOC_SHIFT_HIGH]->kobj.kset;
	struct kernfs_node *node;

	if (!slabs)
		return false;
	node = kernfs_find_and_get(slabs->kobj.sd, name);
	kernfs_put(node);
	return node;
}
#else
bool kalloc_helper_slab_name_taken(const char *name)
{
	return false;
}
#endif
#endif
