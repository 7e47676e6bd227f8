// SPDX-License-Identifier: GPL-2.0-only
/*
 * Creates a directory in debugfs with kalloc's name before kalloc does, or a regular file.
 *
 * The files that kalloc then creates are located in the directory, and are removed with it. With a
 * regular file, kalloc creates no files.
 */

#include <linux/debugfs.h>
#include <linux/module.h>

static bool file;
module_param(file, bool, 0400);
MODULE_PARM_DESC(file, "A file, and no directory");

static int __init kalloc_debugfs_conflict_init(void)
{
	if (file)
		debugfs_create_bool("kalloc", 0400, NULL, &file);
	else
		debugfs_create_dir("kalloc", NULL);
	return 0;
}
module_init(kalloc_debugfs_conflict_init);

static void __exit kalloc_debugfs_conflict_exit(void)
{
	debugfs_lookup_and_remove("kalloc", NULL);
}
module_exit(kalloc_debugfs_conflict_exit);

MODULE_DESCRIPTION("A debugfs directory with kalloc's name, for the tests of kalloc");
MODULE_AUTHOR("The kalloc authors");
MODULE_LICENSE("GPL");
