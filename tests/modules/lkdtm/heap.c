// SPDX-License-Identifier: GPL-2.0-only
/*
 * One bug of each kind that a debug kernel must report, on memory that kalloc_lkdtm.rs lends. Each
 * report must be in the log, with the name of the function; scripts/kalloc_dev/test/sanitizers
 * lists the reports.
 */

#include <linux/kasan.h>
#include <linux/list.h>
#include <linux/mm.h>
#include <linux/printk.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/smp.h>
#include <linux/spinlock.h>
#include <linux/uaccess.h>
#include <linux/vmalloc.h>

#include "mm/slab.h"
#include "owned_blocks.h"

/* Commits no bug, and must cause no report. */
noinline void planted_nothing(enum planted_family family)
{
	u8 *block = planted_alloc(family);

	WRITE_ONCE(block[0], 1);
	WRITE_ONCE(block[planted_size(family) - 1], 1);
	planted_free(block);
}

/* ---- KASAN ---- */

noinline void planted_overread(enum planted_family family)
{
	u8 *block = planted_alloc(family);

	READ_ONCE(block[planted_size(family)]);
	planted_free(block);
}

/* Writes back the byte that it reads, so that no later check reports a corruption. */
noinline void planted_overrun(enum planted_family family)
{
	u8 *block = planted_alloc(family), *end = block + planted_size(family);

	WRITE_ONCE(*end, planted_peek(end));
	planted_free(block);
}

noinline void planted_late_read(enum planted_family family)
{
	u8 *block = planted_alloc(family);

	planted_free(block);
	/* The area is no longer mapped: an access would be a page fault as well. */
	if (family == PLANTED_AREA)
		__kasan_check_read(block, 1);
	else
		READ_ONCE(*block);
}

/* Without a quarantine, one of the other blocks would reuse the memory. */
noinline void planted_much_later_read(enum planted_family family)
{
	u8 *block = planted_alloc(family), *others[PLANTED_OTHERS];
	int i;

	planted_free(block);
	for (i = 0; i < PLANTED_OTHERS; i++)
		others[i] = planted_alloc(family);
	READ_ONCE(*block);
	for (i = 0; i < PLANTED_OTHERS; i++)
		planted_free(others[i]);
}

noinline void planted_double_free(enum planted_family family)
{
	void *block = planted_alloc(family);

	switch (family) {
	case PLANTED_BOX:
		kfree(block);
		break;
	case PLANTED_OBJECT:
		kmem_cache_free(virt_to_slab(block)->slab_cache, block);
		break;
	case PLANTED_PAGE:
		__free_page(virt_to_page(block));
		break;
	case PLANTED_AREA:
		vfree(block);
		break;
	}
	planted_free(block);
}

/* ---- SLUB, page poisoning, kmemleak ---- */

/* Uses uninitialized memory as a pointer. */
noinline void planted_uninitialised(enum planted_family family)
{
	u8 **block = planted_alloc(family);

	READ_ONCE(*READ_ONCE(*block));
	planted_free(block);
}

/* kmemleak may miss some of the leaked blocks: their address has stayed somewhere. */
noinline void planted_leak(enum planted_family family)
{
	int i;

	for (i = 0; i < 4; i++)
		planted_forget(family);
}

/* Allocates an object directly, without kalloc's accounting. */
noinline void planted_left_object(enum planted_family family)
{
	static void *left;
	void *block = planted_alloc(family);

	WRITE_ONCE(left, kmem_cache_alloc(virt_to_slab(block)->slab_cache, GFP_KERNEL));
	planted_free(block);
	planted_renew();
}

/* ---- context and locks ---- */

noinline void planted_sleep(enum planted_family family)
{
	static DEFINE_SPINLOCK(lock);
	void *block;

	spin_lock(&lock);
	block = planted_alloc(family);
	spin_unlock(&lock);
	planted_free(block);
}

noinline void planted_inversion(enum planted_family family)
{
	spinlock_t *first = planted_alloc(family), *second = planted_alloc(family);

	spin_lock_init(first);
	spin_lock_init(second);

	spin_lock(first);
	spin_lock(second);
	spin_unlock(second);
	spin_unlock(first);

	spin_lock(second);
	spin_lock(first);
	spin_unlock(first);
	spin_unlock(second);

	planted_free(first);
	planted_free(second);
}

noinline void planted_wandering(enum planted_family family)
{
	u8 *block = planted_alloc(family);

	WRITE_ONCE(*block, smp_processor_id());
	planted_free(block);
}

/* ---- undefined behavior, overflow, lists ---- */

noinline void planted_index(enum planted_family family)
{
	struct {
		u32 words[4];
	} *block = planted_alloc(family);
	size_t index = ARRAY_SIZE(block->words);

	OPTIMIZER_HIDE_VAR(index);
	block->words[index] = 0;
	planted_free(block);
}

noinline void planted_shift(enum planted_family family)
{
	u32 *block = planted_alloc(family), by = 32;

	OPTIMIZER_HIDE_VAR(by);
	WRITE_ONCE(*block, 1u << by);
	planted_free(block);
}

noinline void planted_overflow(enum planted_family family)
{
	u32 *block = planted_alloc(family);

	WRITE_ONCE(*block, U32_MAX);
	WRITE_ONCE(*block, planted_sum(READ_ONCE(*block), 1));
	planted_free(block);
}

noinline void planted_twice_in_list(enum planted_family family)
{
	struct list_head *block = planted_alloc(family);
	LIST_HEAD(list);

	list_add(block, &list);
	list_add(block, &list);
	list_del(block);
	planted_free(block);
}

/* ---- user space ---- */

/* Copies an object that has no usercopy region to user space. */
noinline void planted_exposed(enum planted_family family)
{
	void *block = planted_alloc(family);
	size_t size = planted_size(family);

	OPTIMIZER_HIDE_VAR(size);
	if (copy_to_user((void __user *)current->mm->start_stack, block, size))
		pr_info("no copy\n");
	planted_free(block);
}

/* Copies more bytes than the object has. */
noinline void planted_overcopied(enum planted_family family)
{
	void *block = planted_alloc(family);
	size_t size = 2 * planted_size(family);

	OPTIMIZER_HIDE_VAR(size);
	if (copy_from_user(block, (void __user *)current->mm->start_stack, size))
		pr_info("no copy\n");
	planted_free(block);
}

/* ---- refusals ---- */

noinline void planted_ignored_refusal(enum planted_family family)
{
	u8 *block = planted_alloc(family);

	WRITE_ONCE(*block, 1);
	planted_free(block);
}
