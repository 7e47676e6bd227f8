// SPDX-License-Identifier: GPL-2.0-only
/*
 * A slab cache like that of the Rust side.
 */

#include <linux/slab.h>

#include "bench.h"

/* The size of a struct sk_buff, the usual example of such benchmarks. */
#define OBJECT_SIZE	256
#define MOST		250

static struct kmem_cache *cache;

int kalloc_bench_cache_create(void)
{
	cache = kmem_cache_create("bench_c_cache", OBJECT_SIZE, sizeof(u64),
				  SLAB_HWCACHE_ALIGN | SLAB_NO_MERGE, NULL);
	return cache ? 0 : -ENOMEM;
}

void kalloc_bench_cache_destroy(void)
{
	kmem_cache_destroy(cache);
}

int kalloc_bench_cache(unsigned long n, unsigned long param)
{
	struct kmem_cache *s = cache;

	while (n--) {
		void *object = kmem_cache_alloc(s, GFP_KERNEL);

		if (!object)
			return -ENOMEM;
		touch(object);
		kmem_cache_free(s, object);
	}
	return 0;
}

/* The count is known at compile time, as on the Rust side. */
static __always_inline int one_by_one(unsigned long n, unsigned long count)
{
	struct kmem_cache *s = cache;
	/* Too large for the stack; only one case runs at a time. */
	static void *objects[MOST];

	while (n--) {
		unsigned long i, live;
		int ret = 0;

		for (i = 0; i < count; i++) {
			objects[i] = kmem_cache_alloc(s, GFP_KERNEL);
			if (!objects[i]) {
				ret = -ENOMEM;
				break;
			}
			touch(objects[i]);
		}
		live = i;
		for (i = 0; i < live; i++)
			kmem_cache_free(s, objects[i]);
		if (ret)
			return ret;
	}
	return 0;
}

int kalloc_bench_cache_one_by_one(unsigned long n, unsigned long count)
{
	switch (count) {
	case 1:
		return one_by_one(n, 1);
	case 2:
		return one_by_one(n, 2);
	case 3:
		return one_by_one(n, 3);
	case 4:
		return one_by_one(n, 4);
	case 8:
		return one_by_one(n, 8);
	case 16:
		return one_by_one(n, 16);
	case 30:
		return one_by_one(n, 30);
	case 32:
		return one_by_one(n, 32);
	case 34:
		return one_by_one(n, 34);
	case 48:
		return one_by_one(n, 48);
	case 64:
		return one_by_one(n, 64);
	case 128:
		return one_by_one(n, 128);
	case 158:
		return one_by_one(n, 158);
	case 250:
		return one_by_one(n, 250);
	}
	return -EINVAL;
}

static __always_inline int bulk(unsigned long n, unsigned long count)
{
	struct kmem_cache *s = cache;
	/* Too large for the stack; only one case runs at a time. */
	static void *objects[MOST];

	while (n--) {
		unsigned long i;

		if (!kmem_cache_alloc_bulk(s, GFP_KERNEL, count, objects))
			return -ENOMEM;
		for (i = 0; i < count; i++)
			touch(objects[i]);
		kmem_cache_free_bulk(s, count, objects);
	}
	return 0;
}

int kalloc_bench_cache_bulk(unsigned long n, unsigned long count)
{
	switch (count) {
	case 1:
		return bulk(n, 1);
	case 2:
		return bulk(n, 2);
	case 3:
		return bulk(n, 3);
	case 4:
		return bulk(n, 4);
	case 8:
		return bulk(n, 8);
	case 16:
		return bulk(n, 16);
	case 30:
		return bulk(n, 30);
	case 32:
		return bulk(n, 32);
	case 34:
		return bulk(n, 34);
	case 48:
		return bulk(n, 48);
	case 64:
		return bulk(n, 64);
	case 128:
		return bulk(n, 128);
	case 158:
		return bulk(n, 158);
	case 250:
		return bulk(n, 250);
	}
	return -EINVAL;
}
