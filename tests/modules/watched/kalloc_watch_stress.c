// SPDX-License-Identifier: GPL-2.0-only
/*
 * Allocates and frees on several CPUs, in each way that a watch sees, and
 * counts the blocks of each function. The next thread that chooses the slot of a
 * block frees it. The unloading waits for the threads, and leaves no block.
 */

#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/gfp.h>
#include <linux/init.h>
#include <linux/kthread.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/percpu.h>
#include <linux/prandom.h>
#include <linux/rcupdate.h>
#include <linux/slab.h>
#include <linux/vmalloc.h>

#define BULK 8

static unsigned int blocks = 500000;
module_param(blocks, uint, 0400);
MODULE_PARM_DESC(blocks, "Number of allocations by all threads together");
static unsigned int slots = 16384;
module_param(slots, uint, 0400);
MODULE_PARM_DESC(slots, "Largest number of live blocks");
static unsigned int threads = 4;
module_param(threads, uint, 0400);
MODULE_PARM_DESC(threads, "Number of threads");

/* The kind of a block, in the lowest bits of its address. */
enum kind { KMALLOC, CACHE, BULKED, RCU_KMALLOC, PAGES, VMALLOC, PERCPU, KINDS };
#define KIND 7UL

struct block {
	struct rcu_head rcu;
	char text[100];
};

static const char *const names[KINDS] = {
	"stress_kmalloc", "stress_cache", "stress_bulk", "stress_rcu", "stress_pages",
	"stress_vmalloc", "stress_percpu",
};

static atomic_long_t counts[KINDS];
static struct kmem_cache *cache;
static unsigned long *held;
static struct task_struct **tasks;

/* The calls of the allocators must be no jumps. */
static noinline void *stress_kmalloc(u32 random)
{
	void *block = kmalloc(8 + random % 2000, GFP_KERNEL);

	OPTIMIZER_HIDE_VAR(block);
	return block;
}

static noinline void *stress_cache(void)
{
	void *block = kmem_cache_alloc(cache, GFP_KERNEL);

	OPTIMIZER_HIDE_VAR(block);
	return block;
}

static noinline bool stress_bulk(void **objects)
{
	bool done = kmem_cache_alloc_bulk(cache, GFP_KERNEL, BULK, objects);

	OPTIMIZER_HIDE_VAR(done);
	return done;
}

static noinline void *stress_rcu(void)
{
	struct block *block = kmalloc(sizeof(*block), GFP_KERNEL);

	OPTIMIZER_HIDE_VAR(block);
	return block;
}

static noinline void *stress_pages(u32 random)
{
	void *block = alloc_pages(GFP_KERNEL, random % 2);

	OPTIMIZER_HIDE_VAR(block);
	return block;
}

static noinline void *stress_vmalloc(u32 random)
{
	void *block = vmalloc(1 + random % (3 * PAGE_SIZE));

	OPTIMIZER_HIDE_VAR(block);
	return block;
}

static noinline void *stress_percpu(void)
{
	void *block = (void *)(__force unsigned long)alloc_percpu(u64);

	OPTIMIZER_HIDE_VAR(block);
	return block;
}

static void release(unsigned long slot)
{
	void *block = (void *)(slot & ~KIND);

	switch (block ? slot & KIND : KINDS) {
	case KMALLOC:
		kfree(block);
		break;
	case CACHE:
	case BULKED:
		kmem_cache_free(cache, block);
		break;
	case RCU_KMALLOC:
		kfree_rcu((struct block *)block, rcu);
		break;
	case PAGES:
		/* The order is in the page. */
		__free_pages(block, page_private((struct page *)block));
		break;
	case VMALLOC:
		vfree(block);
		break;
	case PERCPU:
		free_percpu((void __percpu *)(__force unsigned long)block);
		break;
	}
}

/* Puts a block into a slot, and frees the one that was there. */
static void hold(struct rnd_state *random, void *block, enum kind kind)
{
	if (!block)
		return;
	atomic_long_inc(&counts[kind]);
	release(xchg(&held[prandom_u32_state(random) % slots], (unsigned long)block | kind));
}

static void stress(struct rnd_state *random)
{
	u32 size = prandom_u32_state(random), chosen = prandom_u32_state(random) % 100;
	void *objects[BULK], *page;

	if (chosen < 40) {
		hold(random, stress_kmalloc(size), KMALLOC);
	} else if (chosen < 60) {
		hold(random, stress_cache(), CACHE);
	} else if (chosen < 63) {
		if (stress_bulk(objects))
			for (int n = 0; n < BULK; n++)
				hold(random, objects[n], BULKED);
	} else if (chosen < 75) {
		hold(random, stress_rcu(), RCU_KMALLOC);
	} else if (chosen < 95) {
		page = stress_pages(size);
		if (page)
			set_page_private(page, size % 2);
		hold(random, page, PAGES);
	} else if (chosen < 98) {
		hold(random, stress_vmalloc(size), VMALLOC);
	} else {
		hold(random, stress_percpu(), PERCPU);
	}
}

static int stress_thread(void *seed)
{
	struct rnd_state random;

	prandom_seed_state(&random, (unsigned long)seed);
	for (unsigned int n = 0; n < blocks / threads; n++) {
		stress(&random);
		cond_resched();
	}
	while (!kthread_should_stop())
		schedule_timeout_interruptible(HZ / 10);
	return 0;
}

/* Waits until all blocks are allocated, and frees those that are left. */
static void stop(void)
{
	for (unsigned int n = 0; n < threads; n++)
		if (!IS_ERR_OR_NULL(tasks[n]))
			kthread_stop(tasks[n]);
	for (unsigned int n = 0; n < slots; n++)
		release(held[n]);
	kvfree(held);
	kfree(tasks);
	/* Waits for blocks that are freed after a grace period. */
	kmem_cache_destroy(cache);
	rcu_barrier();
}

static int __init kalloc_watch_stress_init(void)
{
	if (!threads || !slots)
		return -EINVAL;
	tasks = kcalloc(threads, sizeof(*tasks), GFP_KERNEL);
	held = kvcalloc(slots, sizeof(*held), GFP_KERNEL);
	cache = kmem_cache_create("kalloc_watch_stress", 72, 0, SLAB_NO_MERGE, NULL);
	if (!tasks || !held || !cache) {
		kvfree(held);
		kfree(tasks);
		kmem_cache_destroy(cache);
		return -ENOMEM;
	}
	for (unsigned int n = 0; n < threads; n++) {
		tasks[n] = kthread_create(stress_thread, (void *)(n + 1UL), "stress/%u", n);
		if (IS_ERR(tasks[n])) {
			stop();
			return -ENOMEM;
		}
		kthread_bind(tasks[n], cpumask_nth(n % num_online_cpus(), cpu_online_mask));
		wake_up_process(tasks[n]);
	}
	return 0;
}
module_init(kalloc_watch_stress_init);

static void __exit kalloc_watch_stress_exit(void)
{
	stop();
	for (int kind = 0; kind < KINDS; kind++)
		pr_info("%s %ld\n", names[kind], atomic_long_read(&counts[kind]));
}
module_exit(kalloc_watch_stress_exit);

MODULE_DESCRIPTION("Load on several CPUs for kalloc_watch, for the tests of kalloc");
MODULE_AUTHOR("The kalloc authors");
MODULE_LICENSE("GPL");
