// SPDX-License-Identifier: GPL-2.0-only
/*
 * When it is unloaded, it frees a probe while a function that the probe has
 * entered runs, and registers others, of which one gets its memory. The
 * function then returns to that one, which must not see the call.
 */

#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/delay.h>
#include <linux/init.h>
#include <linux/module.h>

#include "../../../rust/helpers/fprobe.c"

#define OTHERS 3

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

static void *probe(void)
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
	first = probe();
	return first ? 0 : -ENOMEM;
}
module_init(kalloc_probe_reuse_init);

static void __exit kalloc_probe_reuse_exit(void)
{
	void *others[OTHERS];
	bool is_reused = false;
	int n, before = atomic_read(&entered);

	kalloc_helper_fprobe_free(first);
	/* The allocator returns the memory that was freed last. */
	for (n = 0; n < OTHERS; n++) {
		others[n] = probe();
		is_reused |= others[n] == first;
	}
	for (n = 0; n < 40; n++)
		msleep(100);
	for (n = 0; n < OTHERS; n++)
		if (others[n])
			kalloc_helper_fprobe_free(others[n]);
	pr_info("reused %d, %d entered, %d left\n", is_reused, before, atomic_read(&left));
}
module_exit(kalloc_probe_reuse_exit);

MODULE_DESCRIPTION("Reuses the memory of a probe, for the tests of kalloc");
MODULE_AUTHOR("The kalloc authors");
MODULE_LICENSE("GPL");
