// SPDX-License-Identifier: GPL-2.0-only
/*
 * Allocates and frees in the ways that a watch must see, and leaks on request. Each function
 * allocates at one call site, of which the test knows the counts.
 */

#include <linux/delay.h>
#include <linux/gfp.h>
#include <linux/init.h>
#include <linux/kstrtox.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/percpu.h>
#include <linux/rcupdate.h>
#include <linux/slab.h>
#include <linux/vmalloc.h>

#define BLOCKS 20

static unsigned int leak;
module_param(leak, uint, 0400);
MODULE_PARM_DESC(leak, "Number of blocks that stay allocated");

/* Parameters are set before the module is in sysfs. */
static int watched_pause(const char *text, const struct kernel_param *param)
{
	unsigned int milliseconds;
	int error = kstrtouint(text, 0, &milliseconds);

	if (!error)
		msleep(milliseconds);
	return error;
}

static const struct kernel_param_ops watched_pause_ops = { .set = watched_pause };
module_param_cb(pause, &watched_pause_ops, NULL, 0200);
MODULE_PARM_DESC(pause, "Milliseconds to wait before the initialization");

struct watched {
	struct rcu_head rcu;
	char text[40];
};

static struct kmem_cache *cache;
static void *early;
/* Keeps the compiler from leaving out a block. */
static void *seen;

static noinline void watched_leak(void)
{
	for (unsigned int n = 0; n < leak; n++)
		WRITE_ONCE(seen, kmalloc(100, GFP_KERNEL));
}

static noinline int watched_rcu(void)
{
	for (int n = 0; n < BLOCKS; n++) {
		struct watched *block = kmalloc(sizeof(*block), GFP_KERNEL);

		if (!block)
			return -ENOMEM;
		WRITE_ONCE(seen, block);
		kfree_rcu(block, rcu);
	}
	return 0;
}

static noinline int watched_bulk(void)
{
	void *objects[BLOCKS];

	if (!kmem_cache_alloc_bulk(cache, GFP_KERNEL, BLOCKS, objects))
		return -ENOMEM;
	kmem_cache_free_bulk(cache, BLOCKS, objects);
	return 0;
}

static noinline int watched_cache_bulk_free(void)
{
	void *objects[BLOCKS];
	int n;

	for (n = 0; n < BLOCKS; n++) {
		objects[n] = kmem_cache_alloc(cache, GFP_KERNEL);
		if (!objects[n])
			break;
	}
	if (n)
		kmem_cache_free_bulk(cache, n, objects);
	return n == BLOCKS ? 0 : -ENOMEM;
}

/* The call of kmalloc is a jump, so it returns to the caller. */
static noinline void *watched_tail_call(size_t size)
{
	return __kmalloc_noprof(size, GFP_KERNEL);
}

static noinline int watched_tail_caller(void)
{
	void *block = watched_tail_call(READ_ONCE(leak) + 64);

	WRITE_ONCE(seen, block);
	kfree(block);
	return block ? 0 : -ENOMEM;
}

static noinline int watched_pages(void)
{
	struct page *pages[BLOCKS] = {};
	unsigned long count = alloc_pages_bulk(GFP_KERNEL, BLOCKS, pages);

	for (unsigned long n = 0; n < count; n++)
		__free_page(pages[n]);
	return count == BLOCKS ? 0 : -ENOMEM;
}

/* Half of the places are in use, by a page that the kernel allocated at boot. */
static noinline int watched_pages_partly(void)
{
	struct page *pages[BLOCKS] = {};
	unsigned long count;

	for (int n = 0; n < BLOCKS; n += 2)
		pages[n] = ZERO_PAGE(0);
	count = alloc_pages_bulk(GFP_KERNEL, BLOCKS, pages);
	for (int n = 1; n < BLOCKS; n += 2)
		if (pages[n])
			__free_page(pages[n]);
	return count == BLOCKS ? 0 : -ENOMEM;
}

/* vmalloc_array() jumps to another allocator. */
static noinline int watched_array(void)
{
	void *block = vmalloc_array(READ_ONCE(leak) + 2, PAGE_SIZE);

	WRITE_ONCE(seen, block);
	vfree(block);
	return block ? 0 : -ENOMEM;
}

static noinline int watched_free_pages(void)
{
	unsigned long block = __get_free_pages(GFP_KERNEL, 2);

	free_pages(block, 2);
	return block ? 0 : -ENOMEM;
}

static noinline int watched_vmalloc(void)
{
	void *block = vmalloc(3 * PAGE_SIZE);

	WRITE_ONCE(seen, block);
	vfree(block);
	return block ? 0 : -ENOMEM;
}

/* Too large for kmalloc, so the block is vmalloc's. */
static noinline int watched_kvmalloc(void)
{
	void *block = kvmalloc(2 * KMALLOC_MAX_SIZE, GFP_KERNEL);

	WRITE_ONCE(seen, block);
	kvfree(block);
	return block ? 0 : -ENOMEM;
}

static noinline int watched_kvmalloc_small(void)
{
	void *block = kvmalloc(READ_ONCE(leak) + 200, GFP_KERNEL);

	WRITE_ONCE(seen, block);
	kvfree(block);
	return block ? 0 : -ENOMEM;
}

static noinline int watched_percpu(void)
{
	u64 __percpu *counter = alloc_percpu(u64);

	free_percpu(counter);
	return counter ? 0 : -ENOMEM;
}

static noinline int watched_krealloc(void)
{
	void *block = kmalloc(READ_ONCE(leak) + 32, GFP_KERNEL);
	void *grown = krealloc(block, 300, GFP_KERNEL);

	WRITE_ONCE(seen, grown);
	kfree(grown ?: block);
	return grown ? 0 : -ENOMEM;
}

/* kvrealloc() calls krealloc(). */
static noinline int watched_kvrealloc(void)
{
	void *block = kvmalloc(READ_ONCE(leak) + 32, GFP_KERNEL);
	void *grown = kvrealloc(block, 3000, GFP_KERNEL);

	WRITE_ONCE(seen, grown);
	kvfree(grown ?: block);
	return grown ? 0 : -ENOMEM;
}

static noinline __init int watched_early(void)
{
	early = kmalloc(500, GFP_KERNEL);
	return early ? 0 : -ENOMEM;
}

static int __init kalloc_watched_init(void)
{
	int error = watched_early();

	cache = kmem_cache_create("kalloc_watched", 120, 0, SLAB_NO_MERGE, NULL);
	if (!cache)
		error = -ENOMEM;
	error = error ?: watched_rcu() ?: watched_bulk() ?: watched_cache_bulk_free() ?:
		watched_tail_caller() ?: watched_pages() ?: watched_free_pages() ?:
		watched_vmalloc() ?: watched_kvmalloc() ?: watched_kvmalloc_small() ?:
		watched_percpu() ?: watched_krealloc() ?: watched_kvrealloc() ?:
		watched_pages_partly() ?: watched_array();
	if (error) {
		kmem_cache_destroy(cache);
		kfree(early);
		return error;
	}
	watched_leak();
	return 0;
}
module_init(kalloc_watched_init);

static void __exit kalloc_watched_exit(void)
{
	kfree(early);
	kmem_cache_destroy(cache);
}
module_exit(kalloc_watched_exit);

MODULE_DESCRIPTION("Allocations that kalloc_watch must count, for the tests of kalloc");
MODULE_AUTHOR("The kalloc authors");
MODULE_LICENSE("GPL");
