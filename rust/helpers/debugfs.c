// SPDX-License-Identifier: GPL-2.0

#include <linux/debugfs.h>
#include <linux/fs.h>
#include <linux/module.h>
#include <linux/seq_file.h>

/* Without debugfs both are inline. */
struct dentry *kalloc_helper_debugfs_lookup(const char *name, struct dentry *parent);
struct dentry *kalloc_helper_debugfs_lookup(const char *name, struct dentry *parent)
{
	return debugfs_lookup(name, parent);
}

void kalloc_helper_debugfs_remove(struct dentry *dentry);
void kalloc_helper_debugfs_remove(struct dentry *dentry)
{
	debugfs_remove(dentry);
}

struct dentry *kalloc_helper_debugfs_create_seq(const char *name, struct dentry *parent,
						void *data, const struct seq_operations *ops);
struct dentry *kalloc_helper_debugfs_create_commands(const char *name, struct dentry *parent,
						     void *data, const void *table);

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
	/* Without debugfs the parameter, which nobody reads then, is not const. */
	return debugfs_create_file_aux(name, 0400, parent, data, (void *)ops, &kalloc_debugfs_fops);
}

/* As rust/debugfs.rs has it, to the types of parameters: with CFI the kernel compares them. */
struct kalloc_debugfs_table {
	const struct seq_operations seq;
	ssize_t (*write)(void *data, void __user *from, size_t length);
};

static ssize_t kalloc_debugfs_write(struct file *file, const char __user *from, size_t length,
				    loff_t *pos)
{
	const struct kalloc_debugfs_table *table = debugfs_get_aux(file);
	void *data = ((struct seq_file *)file->private_data)->private;

	return table->write(data, (void __user *)from, length);
}

static const struct file_operations kalloc_debugfs_commands_fops = {
	.owner = THIS_MODULE,
	.open = kalloc_debugfs_open,
	.read = seq_read,
	.write = kalloc_debugfs_write,
	.llseek = seq_lseek,
	.release = seq_release,
};

struct dentry *kalloc_helper_debugfs_create_commands(const char *name, struct dentry *parent,
						     void *data, const void *table)
{
	/* Nobody changes it: the stub for kernels without debugfs takes no const. */
	return debugfs_create_file_aux(name, 0600, parent, data, (void *)table,
				       &kalloc_debugfs_commands_fops);
}
#endif
