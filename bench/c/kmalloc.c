// SPDX-License-Identifier: GPL-2.0-only
/*
 * kmalloc, with sizes that the compiler knows and sizes that it does not know.
 */

#include <linux/slab.h>

#include "bench.h"

/* Lameter's number of live objects. */
#define MANY	10000

static __always_inline int pairs(unsigned long n, size_t size)
{
	while (n--) {
		void *block = kmalloc(size, GFP_KERNEL);

		if (!block)
			return -ENOMEM;
		touch(block);
		kfree(block);
	}
	return 0;
}

int kalloc_bench_kmalloc(unsigned long n, unsigned long size)
{
	switch (size) {
	case 8:
		return pairs(n, 8);
	case 16:
		return pairs(n, 16);
	case 32:
		return pairs(n, 32);
	case 64:
		return pairs(n, 64);
	case 96:
		return pairs(n, 96);
	case 100:
		return pairs(n, 100);
	case 128:
		return pairs(n, 128);
	case 192:
		return pairs(n, 192);
	case 256:
		return pairs(n, 256);
	case 512:
		return pairs(n, 512);
	case 1024:
		return pairs(n, 1024);
	case 2048:
		return pairs(n, 2048);
	case 4096:
		return pairs(n, 4096);
	case 8192:
		return pairs(n, 8192);
	case 16384:
		return pairs(n, 16384);
	}
	return -EINVAL;
}

/* Hides the size from the compiler. */
int kalloc_bench_kmalloc_sized(unsigned long n, unsigned long size)
{
	while (n--) {
		void *block;

		OPTIMIZER_HIDE_VAR(size);
		block = kmalloc(size, GFP_KERNEL);
		if (!block)
			return -ENOMEM;
		touch(block);
		kfree(block);
	}
	return 0;
}

static __always_inline int many(unsigned long n, size_t size)
{
	void **blocks = kvmalloc_array(MANY, sizeof(*blocks), GFP_KERNEL);
	unsigned long i, live = 0;
	int ret = 0;

	if (!blocks)
		return -ENOMEM;
	while (n--) {
		for (i = 0; i < MANY; i++) {
			void *block = kmalloc(size, GFP_KERNEL);

			if (!block) {
				ret = -ENOMEM;
				break;
			}
			touch(block);
			blocks[i] = block;
		}
		live = i;
		for (i = 0; i < live; i++)
			kfree(blocks[i]);
		if (ret)
			break;
	}
	kvfree(blocks);
	return ret;
}

int kalloc_bench_kmalloc_many(unsigned long n, unsigned long size)
{
	switch (size) {
	case 8:
		return many(n, 8);
	case 16:
		return many(n, 16);
	case 32:
		return many(n, 32);
	case 64:
		return many(n, 64);
	case 128:
		return many(n, 128);
	case 256:
		return many(n, 256);
	case 512:
		return many(n, 512);
	case 1024:
		return many(n, 1024);
	case 2048:
		return many(n, 2048);
	case 4096:
		return many(n, 4096);
	case 8192:
		return many(n, 8192);
	case 16384:
		return many(n, 16384);
	}
	return -EINVAL;
}

/* Grows an array, which doubles when it is full. */
int kalloc_bench_push(unsigned long n, unsigned long len)
{
	while (n--) {
		size_t i, room = 0;
		u64 *array = NULL;

		for (i = 0; i < len; i++) {
			if (i == room) {
				size_t more = room ? 2 * room : 1;
				u64 *larger = krealloc_array(array, more, sizeof(*array),
							     GFP_KERNEL);

				if (!larger) {
					kfree(array);
					return -ENOMEM;
				}
				array = larger;
				room = more;
			}
			array[i] = i;
		}
		kfree(array);
	}
	return 0;
}
