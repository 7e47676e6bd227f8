// SPDX-License-Identifier: GPL-2.0
/*
 * A slab cache of its own, like that of the Rust side.
 */

#include <linux/slab.h>

#include "bench.h"

/* The size of a struct sk_buff, which such benchmarks take for an example. */
#define OBJECT_SIZE	256
#define MOST		128

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

int kalloc_bench_cache_one_by_one(unsigned long n, unsigned long count)
{
	struct kmem_cache *s = cache;
	void *objects[MOST];

	if (count > MOST)
		return -EINVAL;
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

int kalloc_bench_cache_bulk(unsigned long n, unsigned long count)
{
	struct kmem_cache *s = cache;
	void *objects[MOST];

	if (count > MOST)
		return -EINVAL;
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
