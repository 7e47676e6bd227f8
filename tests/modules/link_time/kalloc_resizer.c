// SPDX-License-Identifier: GPL-2.0-only

/*
 * Resizes a block of another module, by a call that takes long, and then owns it.
 * The calls are those that the linker gives to a driver with count.ld.
 */

#include <linux/completion.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/slab.h>
#include <linux/workqueue.h>

#include "kalloc_resizer.h"

static void *block;
static size_t size;
static DECLARE_COMPLETION(begun);

/* 1 while the block is resized, and 2 afterwards. */
static int state;
module_param(state, int, 0400);

static void resize(struct work_struct *work)
{
	void *new;

	WRITE_ONCE(state, 1);
	complete(&begun);
	new = __wrap_rust_helper_kvrealloc_node_align(block, size, 8, GFP_KERNEL | __GFP_ZERO,
						      NUMA_NO_NODE);
	if (new)
		block = new;
	WRITE_ONCE(state, 2);
}

static DECLARE_WORK(resizing, resize);

/* Takes a block, and returns while it is being resized to most of the free memory. */
void kalloc_resizer_take(void *given)
{
	block = given;
	size = (si_mem_available() / 4 * 3) << PAGE_SHIFT;
	/* On an ordinary workqueue, it would delay work items for which others wait. */
	queue_work(system_dfl_wq, &resizing);
	wait_for_completion(&begun);
}
EXPORT_SYMBOL_GPL(kalloc_resizer_take);

static int __init kalloc_resizer_init(void)
{
	return 0;
}
module_init(kalloc_resizer_init);

static void __exit kalloc_resizer_exit(void)
{
	flush_work(&resizing);
	if (block)
		__wrap_rust_helper_kvrealloc_node_align(block, 0, 8, GFP_KERNEL, NUMA_NO_NODE);
}
module_exit(kalloc_resizer_exit);

MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("Resizes a block that another module has given to it");
