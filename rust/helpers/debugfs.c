// SPDX-License-Identifier: GPL-2.0

#include <linux/debugfs.h>
#include <linux/fs.h>
#include <linux/module.h>
#include <linux/seq_file.h>

struct dentry *kalloc_helper_debugfs_create_seq(const char *name, struct dentry *parent,
						void *data, const struct seq_operations *ops);

#ifndef __BINDGEN__
static int kalloc_debugfs_open(struct inode *inode, struct file *file)
{
	int err = seq_open(file, debugfs_get_aux(file));

	if (!err)
		((struct seq_file *)file->private_data)->private = inode->i_private;
	return err;
}

static const struct file_operations kalloc_debugfs_fops = {
	.owner = THIS_MODULE,
	.open = kalloc_debugfs_open,
	.read = seq_read,
	.llseek = seq_lseek,
	.release = seq_release,
};

struct dentry *kalloc_helper_debugfs_create_seq(const char *name, struct dentry *parent,
						void *data, const struct seq_operations *ops)
{
	return debugfs_create_file_aux(name, 0400, parent, data, ops, &kalloc_debugfs_fops);
}
#endif
