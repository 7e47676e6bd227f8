// SPDX-License-Identifier: GPL-2.0-only

#include <linux/dcache.h>
#include <linux/fs.h>
#include <linux/fs_context.h>
#include <linux/namei.h>
#include <linux/proc_fs.h>

struct proc_dir_entry *kalloc_helper_proc_create(const char *name, umode_t mode, void *source);
void kalloc_helper_proc_remove(struct proc_dir_entry *entry);
/* Returns 0, or -EEXIST if /proc has the name: proc_register() would WARN. */
int kalloc_helper_proc_is_free(const char *name);

#ifndef __BINDGEN__
static int kalloc_proc_open(struct inode *inode, struct file *file)
{
	return kalloc_seq_open(file, pde_data(inode), NULL);
}

/*
 * All proc superblocks show the same entries, apart from processes. This
 * function creates its own superblock: the mounted ones may show only processes
 * (subset=pid), or there may be none.
 */
int kalloc_helper_proc_is_free(const char *name)
{
	struct file_system_type *type = get_fs_type("proc");
	struct fs_context *fc;
	struct dentry *dentry;
	int err;

	if (!type)
		return -ENODEV;
	fc = fs_context_for_mount(type, SB_KERNMOUNT);
	/*
	 * This is put_filesystem(), which is not exported. The context has its
	 * own reference.
	 */
	module_put(type->owner);
	if (IS_ERR(fc))
		return PTR_ERR(fc);
	err = vfs_get_tree(fc);
	if (!err) {
		up_write(&fc->root->d_sb->s_umount);
		dentry = lookup_noperm_positive_unlocked(&QSTR(name), fc->root);
		if (!IS_ERR(dentry)) {
			dput(dentry);
			err = -EEXIST;
		} else if (dentry != ERR_PTR(-ENOENT)) {
			err = PTR_ERR(dentry);
		}
	}
	put_fs_context(fc);
	return err;
}

static const struct proc_ops kalloc_proc_ops = {
	.proc_open = kalloc_proc_open,
	.proc_read_iter = kalloc_seq_read_iter,
	.proc_lseek = kalloc_seq_lseek,
	.proc_release = kalloc_seq_release,
};

struct proc_dir_entry *kalloc_helper_proc_create(const char *name, umode_t mode, void *source)
{
	return proc_create_data(name, mode, NULL, &kalloc_proc_ops, source);
}

void kalloc_helper_proc_remove(struct proc_dir_entry *entry)
{
	proc_remove(entry);
}
#endif
