// SPDX-License-Identifier: GPL-2.0-only

#include <linux/fs.h>
#include <linux/module.h>

bool kalloc_helper_within_module_core(unsigned long addr, const struct module *mod);
bool kalloc_helper_within_module_core(unsigned long addr, const struct module *mod)
{
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
	return mod->name;
}
