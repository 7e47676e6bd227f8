// SPDX-License-Identifier: GPL-2.0-only
/*
 * Users of kalloc whose initcalls precede its own, for the KUnit suites that
 * are built into the kernel.
 */

#include <linux/init.h>
#include <linux/module.h>
#include <linux/notifier.h>
#include <asm/sections.h>

void kalloc_test_at_early_initcall(void);
void kalloc_test_at_fs_initcall(void);
bool kalloc_test_notifier_is_early(void);
bool kalloc_test_is_percpu_template(const void *addr);

static bool kalloc_test_notifier_found;

#ifdef CONFIG_MODULES
int kalloc_module_state(struct notifier_block *block, unsigned long state, void *module);

/* Searches the chain of notifiers behind one of the highest priority. */
static bool kalloc_test_find_notifier(void)
{
	struct notifier_block first = { .priority = INT_MAX };
	bool found = false;

	if (register_module_notifier(&first))
		return false;
	for (struct notifier_block *block = first.next; block; block = block->next)
		found |= block->notifier_call == kalloc_module_state;
	unregister_module_notifier(&first);
	return found;
}
#else
static bool kalloc_test_find_notifier(void)
{
	return true;
}
#endif

/* Initcalls of this level precede the start of user space, which loads modules. */
static int __init kalloc_test_early(void)
{
	kalloc_test_at_early_initcall();
	return 0;
}
early_initcall(kalloc_test_early);

static int __init kalloc_test_core(void)
{
	kalloc_test_notifier_found = kalloc_test_find_notifier();
	return 0;
}
core_initcall(kalloc_test_core);

static int __init kalloc_test_fs(void)
{
	kalloc_test_at_fs_initcall();
	return 0;
}
fs_initcall(kalloc_test_fs);

bool kalloc_test_notifier_is_early(void)
{
	return kalloc_test_notifier_found;
}

/*
 * Returns true if @addr is in the template of the CPUs' copies of per-CPU
 * variables, which is freed after the boot.
 */
bool kalloc_test_is_percpu_template(const void *addr)
{
	return addr >= (void *)__per_cpu_start && addr < (void *)__per_cpu_end;
}
