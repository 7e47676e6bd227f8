// SPDX-License-Identifier: GPL-2.0

#include <linux/hash.h>
#include <linux/log2.h>
#include <linux/slab.h>

/*
 * Where kmalloc keeps blocks apart, it does so by the place of the call, or by a type that
 * clang finds there: for all sites the same, in these helpers. The site tells instead.
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

/* The macros, for configurations in which kmalloc() is more than its parts. */
void *kalloc_helper_kmalloc_node(size_t size, gfp_t gfp, int node, unsigned long site);
void *kalloc_helper_kmalloc_node(size_t size, gfp_t gfp, int node, unsigned long site)
{
	return alloc_hooks(_kmalloc_node_noprof(size, gfp, node, token_of(site)));
}

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
 * What /proc/slabinfo says of a cache: bytes per object with all its metadata,
 * objects per slab, pages per slab. Only the allocator's internal header knows.
 * Without it (a build tree without the kernel's source) all three are 0.
 */
void kalloc_helper_slab_shape(struct kmem_cache *s, unsigned int shape[3]);

/*
 * Whether /sys/kernel/slab has an entry of this name: a cache, or an alias of
 * one. Without the internal header, or sysfs, nobody can tell.
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
#else
void kalloc_helper_slab_shape(struct kmem_cache *s, unsigned int shape[3])
{
	shape[0] = 0;
	shape[1] = 0;
	shape[2] = 0;
}
#endif

#ifdef SLAB_SUPPORTS_SYSFS
#include <linux/kernfs.h>

bool kalloc_helper_slab_name_taken(const char *name)
{
	/* Any cache leads to the folder that all of them are in. */
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
