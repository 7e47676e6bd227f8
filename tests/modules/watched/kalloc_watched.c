// SPDX-License-Identifier: GPL-2.0-only
/*
 * Allocates and frees in the ways that a watch must see, and leaks on request. Each function
 * allocates at one call site, of which the test knows the counts.
 */

#include <linux/delay.h>
#include <linux/gfp.h>
#include <linux/init.h>
#include <linux/irq_work.h>
#include <linux/kmemleak.h>
#include <linux/kstrtox.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/percpu.h>
#include <linux/rcupdate.h>
#include <linux/slab.h>
#include <linux/vmalloc.h>

#define BLOCKS 20
/* More pages than the places that a probe sees. */
#define FAR 300
/* More objects than a probe sees. */
#define LARGE 5000
/* The attempts to get an address again. */
#define UNSEEN 4096

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

static noinline int watched_large_bulk(void)
{
	static void *objects[LARGE];

	if (!kmem_cache_alloc_bulk(cache, GFP_KERNEL, LARGE, objects))
		return -ENOMEM;
	kmem_cache_free_bulk(cache, LARGE, objects);
	return 0;
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

/* A place in use, more than 256 after the first free one, counts as free. */
static noinline int watched_pages_far(void)
{
	static struct page *pages[FAR];
	unsigned long count;

	memset(pages, 0, sizeof(pages));
	pages[FAR - 10] = alloc_page(GFP_KERNEL);
	count = alloc_pages_bulk(GFP_KERNEL, FAR, pages);
	for (int n = 0; n < FAR; n++)
		if (pages[n])
			__free_page(pages[n]);
	return count == FAR ? 0 : -ENOMEM;
}

/* Of more places than a probe looks at, only the last one is free. */
static noinline int watched_pages_refill(void)
{
	static struct page *pages[LARGE];
	unsigned long count;

	for (int n = 0; n < LARGE - 1; n++)
		pages[n] = ZERO_PAGE(0);
	count = alloc_pages_bulk(GFP_KERNEL, LARGE, pages);
	if (pages[LARGE - 1])
		__free_page(pages[LARGE - 1]);
	return count == LARGE ? 0 : -ENOMEM;
}

/* The kernel allocates the text. */
static noinline int watched_string(void)
{
	char *text = kasprintf(GFP_KERNEL, "%d blocks", READ_ONCE(leak));

	kfree(text);
	return text ? 0 : -ENOMEM;
}

/* The block is large enough for the new size. */
static noinline int watched_in_place(void)
{
	void *block = kmalloc(40, GFP_KERNEL), *grown = krealloc(block, 60, GFP_KERNEL);

	WRITE_ONCE(seen, grown);
	kfree(grown ?: block);
	return grown == block ? 0 : -ENOMEM;
}

static noinline void watched_interrupt(struct irq_work *work)
{
	void *block = kmalloc(70, GFP_ATOMIC);

	WRITE_ONCE(seen, block);
	kfree(block);
}

static int interrupted(void)
{
	static struct irq_work work = IRQ_WORK_INIT(watched_interrupt);

	irq_work_queue(&work);
	irq_work_sync(&work);
	return READ_ONCE(seen) ? 0 : -ENOMEM;
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

static noinline void *watched_unseen(size_t size)
{
	void *block = vmalloc(size);

	WRITE_ONCE(seen, block);
	return block;
}

/*
 * No probe sees the free of a block by vunmap(). A smaller one of the same call
 * then has its address. The kernel's list of the block's pages stays allocated.
 */
static noinline int watched_unseen_free(void)
{
	static void *others[UNSEEN];
	struct page *pages[3];
	void *first, *block = NULL;
	int n;

	/* Each CPU has a pool of addresses. */
	migrate_disable();
	first = watched_unseen(ARRAY_SIZE(pages) * PAGE_SIZE);
	if (first) {
		for (n = 0; n < ARRAY_SIZE(pages); n++)
			pages[n] = vmalloc_to_page(first + n * PAGE_SIZE);
		/* vfree() removes a block from kmemleak; vunmap() does not. */
		kmemleak_free(first);
		vunmap(first);
		for (n = 0; n < ARRAY_SIZE(pages); n++)
			__free_page(pages[n]);
		/* An address is available as soon as no TLB has it. */
		vm_unmap_aliases();
	}
	for (n = 0; n < UNSEEN && block != first; n++) {
		block = watched_unseen(2 * PAGE_SIZE + 1);
		others[n] = block;
	}
	while (n)
		vfree(others[--n]);
	migrate_enable();
	return first && block == first ? 0 : -ENOMEM;
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
		watched_pages_partly() ?: watched_array() ?: watched_unseen_free() ?:
		watched_large_bulk() ?: watched_pages_far() ?: watched_pages_refill() ?:
		watched_string() ?: watched_in_place() ?: interrupted();
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
