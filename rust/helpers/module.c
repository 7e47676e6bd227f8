// SPDX-License-Identifier: GPL-2.0-only

#include <linux/fs.h>
#include <linux/kallsyms.h>
#include <linux/kobject.h>
#include <linux/module.h>
#include <linux/moduleparam.h>
#include <linux/notifier.h>
#include <asm/sections.h>

/*
 * Returns the parameters of a module, and their number. The module NULL is the
 * kernel image, if kalloc is built into it.
 */
const struct kernel_param *kalloc_helper_params(const struct module *mod, size_t *count);

#ifndef __BINDGEN__
const struct kernel_param *kalloc_helper_params(const struct module *mod, size_t *count)
{
#ifndef MODULE
	if (!mod) {
		*count = __stop___param - __start___param;
		return __start___param;
	}
#endif
#ifdef CONFIG_MODULES
	*count = mod->num_kp;
	return mod->kp;
#else
	*count = 0;
	return NULL;
#endif
}
#endif

/* Inline functions without CONFIG_MODULES. */
int kalloc_helper_add_module_notifier(struct notifier_block *block);
int kalloc_helper_add_module_notifier(struct notifier_block *block)
{
	return register_module_notifier(block);
}

void kalloc_helper_remove_module_notifier(struct notifier_block *block);
void kalloc_helper_remove_module_notifier(struct notifier_block *block)
{
	unregister_module_notifier(block);
}

/*
 * Returns true if @addr is part of a module, in memory that stays until the
 * module is unloaded. The module NULL is the kernel image, if kalloc is built
 * into it.
 */

bool kalloc_helper_within_module_core(unsigned long addr, const struct module *mod);
bool kalloc_helper_within_module_core(unsigned long addr, const struct module *mod)
{
#ifndef MODULE
	if (!mod)
		return addr >= (unsigned long)_stext && addr < (unsigned long)_end;
#endif
	return mod && within_module_core(addr, mod);
}

/*
 * Returns true if an open file keeps the module loaded that contains an
 * address.
 */
bool kalloc_helper_file_keeps(const struct file *file, unsigned long addr);
bool kalloc_helper_file_keeps(const struct file *file, unsigned long addr)
{
	return file && kalloc_helper_within_module_core(addr, file->f_op->owner);
}

const char *kalloc_helper_module_name(const struct module *mod);
const char *kalloc_helper_module_name(const struct module *mod)
{
#ifdef CONFIG_MODULES
	return mod->name;
#else
	return KBUILD_MODNAME;
#endif
}

/* Returns the address and the size of a module's code, or of its initialization code. */
unsigned long kalloc_helper_module_text(const struct module *mod, bool init, unsigned long *size);
unsigned long kalloc_helper_module_text(const struct module *mod, bool init, unsigned long *size)
{
#ifdef CONFIG_MODULES
	const struct module_memory *mem = &mod->mem[init ? MOD_INIT_TEXT : MOD_TEXT];

	*size = mem->size;
	return (unsigned long)mem->base;
#else
	*size = 0;
	return 0;
#endif
}

/*
 * Returns a module by name with a reference to its kobject, or NULL. The module
 * may be unloaded, but its memory is not freed before the reference is dropped.
 */
struct module *kalloc_helper_module_find(const char *name);
struct module *kalloc_helper_module_find(const char *name)
{
#ifdef MODULE
	struct kset *modules = THIS_MODULE->mkobj.kobj.kset;
#elif defined(CONFIG_MODULES) && defined(CONFIG_SYSFS)
	struct kset *modules = module_kset;
#else
	struct kset *modules = NULL;
#endif
	struct kobject *kobj = modules ? kset_find_obj(modules, name) : NULL;
	struct module_kobject *mkobj;

	if (!kobj)
		return NULL;
	mkobj = container_of(kobj, struct module_kobject, kobj);
	if (IS_ENABLED(CONFIG_MODULES) && mkobj->mod)
		return mkobj->mod;
	/* Parameters of built-in code. */
	kobject_put(kobj);
	return NULL;
}

void kalloc_helper_module_put_kobject(struct module *mod);
void kalloc_helper_module_put_kobject(struct module *mod)
{
#ifdef CONFIG_MODULES
	kobject_put(&mod->mkobj.kobj);
#endif
}

/* Writes the symbol of a call site. */
void kalloc_helper_symbol(char *text, unsigned long ip);
void kalloc_helper_symbol(char *text, unsigned long ip)
{
	sprint_symbol(text, ip);
}

/* Returns true if an address is in a module's code or data, also in that for its initialization. */
bool kalloc_helper_within_module(unsigned long addr, const struct module *mod);
bool kalloc_helper_within_module(unsigned long addr, const struct module *mod)
{
#ifdef CONFIG_MODULES
	/* The notifier of that state has removed the call sites in the initialization code. */
	if (mod->state == MODULE_STATE_LIVE)
		return within_module_core(addr, mod);
#endif
	return within_module(addr, mod);
}

/* Returns true if a module that is being loaded may use symbols of this one. */
bool kalloc_helper_depends(const struct module *mod);
bool kalloc_helper_depends(const struct module *mod)
{
#if defined(CONFIG_MODULE_UNLOAD) && defined(MODULE)
	return !list_empty(&mod->target_list);
#else
	return true;
#endif
}
