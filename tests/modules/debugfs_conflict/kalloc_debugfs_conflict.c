// SPDX-License-Identifier: GPL-2.0
/*
 * Has a folder in debugfs of the name that kalloc's has, and is there first; or a file.
 *
 * What kalloc then creates is in the folder, and goes with it. In a file there can be nothing.
 */

#include <linux/debugfs.h>
#include <linux/module.h>

static bool file;
module_param(file, bool, 0400);
MODULE_PARM_DESC(file, "A file, and no folder");

static int __init kalloc_folder_init(void)
{
	if (file)
		debugfs_create_bool("kalloc", 0400, NULL, &file);
	else
		debugfs_create_dir("kalloc", NULL);
	return 0;
}
module_init(kalloc_folder_init);

static void __exit kalloc_folder_exit(void)
{
	debugfs_lookup_and_remove("kalloc", NULL);
}
module_exit(kalloc_folder_exit);

MODULE_DESCRIPTION("Has a folder of the name of kalloc's, for the tests of kalloc");
MODULE_AUTHOR("The kalloc authors");
MODULE_LICENSE("GPL");
