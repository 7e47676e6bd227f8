// SPDX-License-Identifier: GPL-2.0
/*
 * One bug of each kind, on memory that kalloc_planted.rs lends. Each must be in the
 * log, by this function's name; tests/scenarios/guards_catch says as what.
 */

#include <linux/delay.h>
#include <linux/kasan.h>
#include <linux/kfence.h>
#include <linux/list.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/sched.h>
#include <linux/slab.h>
#include <linux/smp.h>
#include <linux/spinlock.h>
#include <linux/uaccess.h>
#include <linux/vmalloc.h>

#include "mm/slab.h"
#include "planted.h"

/* None: what the others do besides must not be in the log. */
static noinline void planted_nothing(enum planted_family family)
{
	u8 *block = planted_alloc(family);

	WRITE_ONCE(block[0], 1);
	WRITE_ONCE(block[planted_size(family) - 1], 1);
	planted_free(block);
}

/* ---- KASAN ---- */

static noinline void planted_overread(enum planted_family family)
{
	u8 *block = planted_alloc(family);

	READ_ONCE(block[planted_size(family)]);
	planted_free(block);
}

/* Writes what is there, so that nobody else takes offence, later. */
static noinline void planted_overrun(enum planted_family family)
{
	u8 *block = planted_alloc(family), *end = block + planted_size(family);

	WRITE_ONCE(*end, planted_peek(end));
	planted_free(block);
}

static noinline void planted_late_read(enum planted_family family)
{
	u8 *block = planted_alloc(family);

	planted_free(block);
	/* The area is not mapped any more: looked at, it would be a page fault as well. */
	if (family == PLANTED_AREA)
		__kasan_check_read(block, 1);
	else
		READ_ONCE(*block);
}

/* Without a quarantine, one of the others would be that block. */
static noinline void planted_much_later_read(enum planted_family family)
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

static noinline void planted_double_free(enum planted_family family)
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

/* ---- SLUB, page poisoning, kmemleak, KFENCE ---- */

/* Takes what nobody has written for a pointer. */
static noinline void planted_uninitialised(enum planted_family family)
{
	u8 **block = planted_alloc(family);

	READ_ONCE(*READ_ONCE(*block));
	planted_free(block);
}

/* Of some it may not be noticed: their address has stayed somewhere. */
static noinline void planted_leak(enum planted_family family)
{
	int i;

	for (i = 0; i < 4; i++)
		planted_forget(family);
}

/* An object that kalloc knows nothing of. */
static noinline void planted_left_object(enum planted_family family)
{
	static void *left;
	void *block = planted_alloc(family);

	WRITE_ONCE(left, kmem_cache_alloc(virt_to_slab(block)->slab_cache, GFP_KERNEL));
	planted_free(block);
	planted_renew();
}

/* KASAN leaves KFENCE's objects to KFENCE, which takes one now and then. */
static noinline void planted_fenced_read(enum planted_family family)
{
	u8 *block = planted_alloc(family);

	while (!is_kfence_address(block)) {
		planted_free(block);
		usleep_range(100, 200);
		block = planted_alloc(family);
	}
	planted_free(block);
	READ_ONCE(*block);
}

/* ---- context and locks ---- */

static noinline void planted_sleep(enum planted_family family)
{
	static DEFINE_SPINLOCK(lock);
	void *block;

	spin_lock(&lock);
	block = planted_alloc(family);
	spin_unlock(&lock);
	planted_free(block);
}

static noinline void planted_inversion(enum planted_family family)
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

static noinline void planted_wandering(enum planted_family family)
{
	u8 *block = planted_alloc(family);

	WRITE_ONCE(*block, smp_processor_id());
	planted_free(block);
}

/* ---- undefined behaviour, overflow, lists ---- */

static noinline void planted_index(enum planted_family family)
{
	struct {
		u32 words[4];
	} *block = planted_alloc(family);
	size_t index = ARRAY_SIZE(block->words);

	OPTIMIZER_HIDE_VAR(index);
	block->words[index] = 0;
	planted_free(block);
}

static noinline void planted_shift(enum planted_family family)
{
	u32 *block = planted_alloc(family), by = 32;

	OPTIMIZER_HIDE_VAR(by);
	WRITE_ONCE(*block, 1u << by);
	planted_free(block);
}

static noinline void planted_overflow(enum planted_family family)
{
	u32 *block = planted_alloc(family);

	WRITE_ONCE(*block, U32_MAX);
	WRITE_ONCE(*block, planted_sum(READ_ONCE(*block), 1));
	planted_free(block);
}

static noinline void planted_twice_in_list(enum planted_family family)
{
	struct list_head *block = planted_alloc(family);
	LIST_HEAD(list);

	list_add(block, &list);
	list_add(block, &list);
	list_del(block);
	planted_free(block);
}

/* ---- user space ---- */

/* Nothing of these objects is for user space. */
static noinline void planted_exposed(enum planted_family family)
{
	void *block = planted_alloc(family);
	size_t size = planted_size(family);

	OPTIMIZER_HIDE_VAR(size);
	if (copy_to_user((void __user *)current->mm->start_stack, block, size))
		pr_info("no copy\n");
	planted_free(block);
}

/* More than there is. */
static noinline void planted_overcopied(enum planted_family family)
{
	void *block = planted_alloc(family);
	size_t size = 2 * planted_size(family);

	OPTIMIZER_HIDE_VAR(size);
	if (copy_from_user(block, (void __user *)current->mm->start_stack, size))
		pr_info("no copy\n");
	planted_free(block);
}

/* ---- refusals ---- */

static noinline void planted_ignored_refusal(enum planted_family family)
{
	u8 *block = planted_alloc(family);

	WRITE_ONCE(*block, 1);
	planted_free(block);
}

static const struct bug {
	const char *name;
	void (*commit)(enum planted_family family);
} bugs[] = {
#define PLANTED(name) { #name, planted_##name }
	PLANTED(nothing),
	PLANTED(overread),
	PLANTED(overrun),
	PLANTED(late_read),
	PLANTED(much_later_read),
	PLANTED(double_free),
	PLANTED(uninitialised),
	PLANTED(leak),
	PLANTED(left_object),
	PLANTED(fenced_read),
	PLANTED(sleep),
	PLANTED(inversion),
	PLANTED(wandering),
	PLANTED(index),
	PLANTED(shift),
	PLANTED(overflow),
	PLANTED(twice_in_list),
	PLANTED(exposed),
	PLANTED(overcopied),
	PLANTED(ignored_refusal),
	PLANTED(unseen_overrun),
	PLANTED(unseen_object_write),
	PLANTED(unseen_page_write),
#undef PLANTED
};

static const char *const families[] = {
	[PLANTED_BOX] = "box",
	[PLANTED_OBJECT] = "object",
	[PLANTED_PAGE] = "page",
	[PLANTED_AREA] = "area",
};

/* What is written: the name of a bug, and that of a family. */
static int plant(const char *text, const struct kernel_param *param)
{
	char name[32], where[32];
	int family, i;

	if (sscanf(text, "%31s %31s", name, where) != 2)
		return -EINVAL;
	family = match_string(families, ARRAY_SIZE(families), where);
	if (family < 0)
		return family;
	for (i = 0; i < ARRAY_SIZE(bugs); i++) {
		if (strcmp(bugs[i].name, name))
			continue;
		/* The writer may not come back. */
		kernel_param_unlock(THIS_MODULE);
		bugs[i].commit(family);
		kernel_param_lock(THIS_MODULE);
		return 0;
	}
	return -EINVAL;
}

static const struct kernel_param_ops plant_ops = { .set = plant };
module_param_cb(plant, &plant_ops, NULL, 0200);
MODULE_PARM_DESC(plant, "A bug to commit, and the family of the memory: late_read box");
