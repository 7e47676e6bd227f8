// SPDX-License-Identifier: GPL-2.0

#include <linux/debugfs.h>
#include <linux/fs.h>
#include <linux/module.h>
#include <linux/seq_file.h>

/* Somebody may have made a file of that name, in which nothing can be looked up. */
struct dentry *kalloc_helper_debugfs_folder(const char *name);
struct dentry *kalloc_helper_debugfs_folder(const char *name)
{
	struct dentry *dentry = debugfs_lookup(name, NULL);

	if (IS_ERR_OR_NULL(dentry) || d_can_lookup(dentry))
		return dentry;
	dput(dentry);
	return NULL;
}

bool kalloc_helper_debugfs_has(const char *name, struct dentry *parent);
bool kalloc_helper_debugfs_has(const char *name, struct dentry *parent)
{
	struct dentry *dentry = debugfs_lookup(name, parent);

	if (IS_ERR_OR_NULL(dentry))
		return false;
	dput(dentry);
	return true;
}

/* Gives up the reference, too. The file may be gone, with the folder that it was in. */
void kalloc_helper_debugfs_remove(struct dentry *dentry);
void kalloc_helper_debugfs_remove(struct dentry *dentry)
{
	debugfs_remove(dentry);
	dput(dentry);
}

/* Each has a reference to the file, for the above. */

struct dentry *kalloc_helper_debugfs_create_seq(const char *name, struct dentry *parent,
						void *data, const struct seq_operations *ops);
struct dentry *kalloc_helper_debugfs_create_commands(const char *name, struct dentry *parent,
						     void *data, const void *table);

#ifndef __BINDGEN__
/* NULL if somebody has removed the file since, with the folder perhaps. */
static struct dentry *kalloc_debugfs_get(struct dentry *created, const char *name,
					 struct dentry *parent, const void *data)
{
	struct dentry *dentry = IS_ERR(created) ? created : debugfs_lookup(name, parent);

	if (IS_ERR_OR_NULL(dentry) || d_inode(dentry)->i_private == data)
		return dentry;
	dput(dentry);
	return NULL;
}

static int kalloc_debugfs_open(struct inode *inode, struct file *file)
{
	int err = seq_open(file, debugfs_get_aux(file));

	if (err)
		return err;
	((struct seq_file *)file->private_data)->private = inode->i_private;
	/*
	 * Commands have no position. Whoever shares an open file with one that takes long
	 * would wait for it, where no signal ends that.
	 */
	if (!(file->f_mode & FMODE_READ))
		file->f_mode &= ~FMODE_ATOMIC_POS;
	return 0;
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
	return kalloc_debugfs_get(debugfs_create_file_aux(name, 0400, parent, data, (void *)ops,
							  &kalloc_debugfs_fops),
				  name, parent, data);
}

/* As rust/debugfs.rs has it, to the types of parameters: with CFI the kernel compares them. */
struct kalloc_debugfs_table {
	const struct seq_operations seq;
	ssize_t (*write)(void *data, void __user *from, size_t length);
	void (*cancel)(void *data);
};

#ifdef CONFIG_DEBUG_FS
struct kalloc_debugfs_call {
	struct debugfs_cancellation cancellation;
	const struct kalloc_debugfs_table *table;
	void *data;
};

static void kalloc_debugfs_cancel(struct dentry *dentry, void *data)
{
	const struct kalloc_debugfs_call *call = data;

	call->table->cancel(call->data);
}

static ssize_t kalloc_debugfs_write(struct file *file, const char __user *from, size_t length,
				    loff_t *pos)
{
	struct kalloc_debugfs_call call = {
		.cancellation = { .cancel = kalloc_debugfs_cancel, .cancel_data = &call },
		.table = debugfs_get_aux(file),
		.data = ((struct seq_file *)file->private_data)->private,
	};
	ssize_t result;

	debugfs_enter_cancellation(file, &call.cancellation);
	result = call.table->write(call.data, (void __user *)from, length);
	debugfs_leave_cancellation(file, &call.cancellation);
	return result;
}
#endif

static const struct file_operations kalloc_debugfs_commands_fops = {
	.owner = THIS_MODULE,
	.open = kalloc_debugfs_open,
	.read = seq_read,
#ifdef CONFIG_DEBUG_FS
	.write = kalloc_debugfs_write,
#endif
	.llseek = seq_lseek,
	.release = seq_release,
};

struct dentry *kalloc_helper_debugfs_create_commands(const char *name, struct dentry *parent,
						     void *data, const void *table)
{
	/* Nobody changes it: the stub for kernels without debugfs takes no const. */
	return kalloc_debugfs_get(debugfs_create_file_aux(name, 0600, parent, data, (void *)table,
							  &kalloc_debugfs_commands_fops),
				  name, parent, data);
}
#endif
