// SPDX-License-Identifier: GPL-2.0-only
/*
 * Measures pairs of allocation and free when it is loaded. Where one instruction takes one
 * nanosecond of the guest's time, the parameters show instructions.
 */

#include <linux/gfp.h>
#include <linux/init.h>
#include <linux/ktime.h>
#include <linux/minmax.h>
#include <linux/module.h>
#include <linux/slab.h>

#define ROUNDS 20
#define PAIRS 1000
#define PAGES 64

static unsigned int kmalloc_pair;
module_param(kmalloc_pair, uint, 0400);
MODULE_PARM_DESC(kmalloc_pair, "Result: nanoseconds of kmalloc(64) and kfree()");

static unsigned int page_alloc;
module_param(page_alloc, uint, 0400);
MODULE_PARM_DESC(page_alloc, "Result: nanoseconds of alloc_page()");

static unsigned int page_free;
module_param(page_free, uint, 0400);
MODULE_PARM_DESC(page_free, "Result: nanoseconds of __free_page()");

static struct page *pages[PAGES];

static noinline void cost_kmalloc(void)
{
	for (int n = 0; n < PAIRS; n++) {
		void *block = kmalloc(64, GFP_KERNEL);

		barrier_data(block);
		kfree(block);
	}
}

static noinline void cost_page_alloc(void)
{
	for (int n = 0; n < PAGES; n++)
		pages[n] = alloc_page(GFP_KERNEL);
}

static noinline void cost_page_free(void)
{
	for (int n = 0; n < PAGES; n++)
		if (pages[n])
			__free_page(pages[n]);
}

static u64 __init took(void (*work)(void))
{
	u64 start = ktime_get_ns();

	work();
	return ktime_get_ns() - start;
}

/* The shortest of some rounds is one that the timer's interrupts do not prolong. */
static int __init kalloc_watch_cost_init(void)
{
	u64 kmalloc = U64_MAX, alloc = U64_MAX, free = U64_MAX;

	for (int n = 0; n < ROUNDS; n++) {
		kmalloc = min(kmalloc, took(cost_kmalloc));
		alloc = min(alloc, took(cost_page_alloc));
		free = min(free, took(cost_page_free));
	}
	kmalloc_pair = kmalloc / PAIRS;
	page_alloc = alloc / PAGES;
	page_free = free / PAGES;
	return 0;
}
module_init(kalloc_watch_cost_init);

static void __exit kalloc_watch_cost_exit(void)
{
}
module_exit(kalloc_watch_cost_exit);

MODULE_DESCRIPTION("The cost of allocations while code is watched, for the tests of kalloc");
MODULE_AUTHOR("The kalloc authors");
MODULE_LICENSE("GPL");
