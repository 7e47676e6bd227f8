// SPDX-License-Identifier: GPL-2.0-only
/* Commits the bug that is written to /sys/module/kalloc_lkdtm/parameters/plant. */

#include <linux/module.h>
#include <linux/string.h>

#include "owned_blocks.h"

static const char *const families[] = {
	[PLANTED_BOX] = "box",
	[PLANTED_OBJECT] = "object",
	[PLANTED_PAGE] = "page",
	[PLANTED_AREA] = "area",
};

static void (*find(const char *name))(enum planted_family family)
{
	void (*bug)(enum planted_family family) = NULL;

#define PLANTED(known) (bug = strcmp(name, #known) ? bug : planted_##known)
#include "lkdtm.h"
#undef PLANTED
	return bug;
}

/* Commits a bug. @text is the name of the bug and the name of a family. */
static int plant(const char *text, const struct kernel_param *param)
{
	void (*bug)(enum planted_family family);
	char name[32], where[32];
	int family;

	if (sscanf(text, "%31s %31s", name, where) != 2)
		return -EINVAL;
	family = match_string(families, ARRAY_SIZE(families), where);
	if (family < 0)
		return family;
	bug = find(name);
	if (!bug)
		return -EINVAL;
	/* The writer may not return. */
	kernel_param_unlock(THIS_MODULE);
	bug(family);
	kernel_param_lock(THIS_MODULE);
	return 0;
}

static const struct kernel_param_ops plant_ops = { .set = plant };
module_param_cb(plant, &plant_ops, NULL, 0200);
MODULE_PARM_DESC(plant, "A bug to commit, and the family of the memory: late_read box");
