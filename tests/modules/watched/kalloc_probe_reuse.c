// SPDX-License-Identifier: GPL-2.0-only
/*
 * When it is unloaded, it frees a probe while a function that the probe has
 * entered runs, and registers probes of entries alone. The function must not
 * return to one of these: they have no handler of returns.
 */

#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/delay.h>
#include <linux/init.h>
#include <linux/module.h>

#include "../../../rust/helpers/fprobe.c"

#define OTHERS 32

static atomic_t entered, left;
static void *first;

/* Long calls of msleep() alone, which are not those of this module. */
static bool enter(void *handler, unsigned long caller, void *regs, unsigned long *words)
{
	if ((unsigned int)kalloc_helper_fprobe_argument(regs, 0) <= 1000)
		return false;
	memset(words, 0, KALLOC_FPROBE_WORDS * sizeof(*words));
	atomic_inc(&entered);
	return true;
}

static void leave(void *handler, unsigned long value, const unsigned long *words)
{
	atomic_inc(&left);
}

static bool enter_only(void *handler, unsigned long caller, void *regs, unsigned long *words)
{
	return true;
}

static void *probe(bool (*enter)(void *handler, unsigned long caller, void *regs,
				 unsigned long *words),
		   void (*leave)(void *handler, unsigned long value, const unsigned long *words))
{
	const char *name = "msleep";
	void *new = kalloc_helper_fprobe_new(NULL, enter, leave);

	if (!new || !kalloc_helper_fprobe_register(new, &name, 1))
		return new;
	kalloc_helper_fprobe_free(new);
	return NULL;
}

static int __init kalloc_probe_reuse_init(void)
{
	first = probe(enter, leave);
	return first ? 0 : -ENOMEM;
}
module_init(kalloc_probe_reuse_init);

static void __exit kalloc_probe_reuse_exit(void)
{
	void *others[OTHERS];
	bool is_reused = false;
	int n, before;

	kalloc_helper_fprobe_free(first);
	before = atomic_read(&left);
	/* The allocator returns the memory that was freed last. */
	for (n = 0; n < OTHERS; n++) {
		others[n] = probe(enter_only, NULL);
		is_reused |= others[n] == first;
	}
	/* The function returns while these are registered. */
	for (n = 0; n < 60; n++)
		msleep(100);
	for (n = 0; n < OTHERS; n++)
		if (others[n])
			kalloc_helper_fprobe_free(others[n]);
	pr_info("entered %d, left %d, reused %d, left %d later\n", atomic_read(&entered), before,
		is_reused, atomic_read(&left) - before);
}
module_exit(kalloc_probe_reuse_exit);

MODULE_DESCRIPTION("Reuses the memory of a probe, for the tests of kalloc");
MODULE_AUTHOR("The kalloc authors");
MODULE_LICENSE("GPL");
