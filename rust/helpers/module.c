// SPDX-License-Identifier: GPL-2.0

#include <linux/module.h>

bool kalloc_helper_within_module_core(unsigned long addr, const struct module *mod);
bool kalloc_helper_within_module_core(unsigned long addr, const struct module *mod)
{
	return mod && within_module_core(addr, mod);
}

const char *kalloc_helper_module_name(const struct module *mod);
const char *kalloc_helper_module_name(const struct module *mod)
{
	return mod->name;
}
