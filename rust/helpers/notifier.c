// SPDX-License-Identifier: GPL-2.0-only

#include <linux/init.h>
#include <linux/module.h>
#include <linux/notifier.h>

/*
 * Registers the notifier of module states, whose function is in Rust. Built
 * into the kernel, kalloc does this itself, before the first module is loaded.
 */
int kalloc_helper_register_module_notifier(void);
void kalloc_helper_unregister_module_notifier(void);

#ifndef __BINDGEN__
int kalloc_register_image(void);
int kalloc_module_state(struct notifier_block *block, unsigned long state, void *module);

static struct notifier_block kalloc_module_notifier = {
	.notifier_call = kalloc_module_state,
};

int kalloc_helper_register_module_notifier(void)
{
	return register_module_notifier(&kalloc_module_notifier);
}

void kalloc_helper_unregister_module_notifier(void)
{
	unregister_module_notifier(&kalloc_module_notifier);
}

#ifndef MODULE
/*
 * The initcalls of consoles follow the initialization of the allocators, and
 * precede those of all other levels. They are thus independent of the order in
 * which kalloc and its users are linked.
 */
console_initcall(kalloc_register_image);
early_initcall(kalloc_helper_register_module_notifier);
#endif
#endif
