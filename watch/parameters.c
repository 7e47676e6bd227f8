// SPDX-License-Identifier: GPL-2.0-only
/* The parameter with text, for which Rust's module!() has no type. */

#include <linux/moduleparam.h>

const char *kalloc_watch_modules(void);

static char modules[1024];
module_param_string(modules, modules, sizeof(modules), 0444);
MODULE_PARM_DESC(modules, "Names of modules to watch, separated by commas, or all (char array)");

const char *kalloc_watch_modules(void)
{
	return modules;
}
