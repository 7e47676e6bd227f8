// SPDX-License-Identifier: GPL-2.0-only

#include <linux/debugfs.h>
#include <linux/fs.h>
#include <linux/module.h>
#include <linux/slab.h>
#include <linux/spinlock.h>
#include <linux/string.h>

bool kalloc_helper_debugfs_exists(void);
bool kalloc_helper_debugfs_exists(void)
{
	return debugfs_initialized();
}

/*
 * Returns the directory of that name with a reference, or NULL. A file may have
 * that name, in which nothing can be looked up.
 */
struct dentry *kalloc_helper_debugfs_dir(const char *name);
struct dentry *kalloc_helper_debugfs_dir(const char *name)
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

/*
 * Removes a file, and drops the reference. The file may already be removed,
 * with its directory.
 */
void kalloc_helper_debugfs_remove(struct dentry *dentry);
void kalloc_helper_debugfs_remove(struct dentry *dentry)
{
	debugfs_remove(dentry);
	dput(dentry);
}

bool kalloc_helper_debugfs_is_gone(const struct dentry *dentry);
bool kalloc_helper_debugfs_is_gone(const struct dentry *dentry)
{
	return d_unlinked(dentry);
}

/*
 * Returns the next entry in the directory after @behind, or the first one if it
 * is NULL, with a reference.
 */
static struct dentry *kalloc_debugfs_next(struct dentry *dir, struct dentry *behind)
{
	struct dentry *child;

	spin_lock(&dir->d_lock);
	child = behind ? d_next_sibling(behind) : d_first_child(dir);
	hlist_for_each_entry_from(child, d_sib) {
		spin_lock_nested(&child->d_lock, DENTRY_D_LOCK_NESTED);
		if (d_inode(child) && !d_unhashed(child)) {
			dget_dlock(child);
			spin_unlock(&child->d_lock);
			break;
		}
		spin_unlock(&child->d_lock);
	}
	spin_unlock(&dir->d_lock);
	return child;
}

/*
 * Removes a directory that still has owners, and its contents. The owners point
 * to the entries, and may remove them again. The entries therefore stay
 * allocated, by references that are never dropped.
 */
void kalloc_helper_debugfs_remove_owned(struct dentry *dir);
void kalloc_helper_debugfs_remove_owned(struct dentry *dir)
{
	struct dentry *this = dget(dir), *child = NULL;

	for (;;) {
		child = kalloc_debugfs_next(this, child);
		if (child) {
			this = child;
			child = NULL;
		} else if (this != dir) {
			child = this;
			this = this->d_parent;
		} else {
			break;
		}
	}
	debugfs_remove(dir);
}

/* Returns the file with a reference, for kalloc_helper_debugfs_remove(). */
struct dentry *kalloc_helper_debugfs_create(const char *name, struct dentry *parent, void *source,
					    bool takes_commands);

#ifndef __BINDGEN__
/*
 * Returns NULL if the file was removed in the meantime, for example with its
 * directory.
 */
static struct dentry *kalloc_debugfs_get(struct dentry *created, const char *name,
					 struct dentry *parent, const void *source)
{
	struct dentry *dentry = IS_ERR(created) ? created : debugfs_lookup(name, parent);

	if (IS_ERR_OR_NULL(dentry) || d_inode(dentry)->i_private == source)
		return dentry;
	dput(dentry);
	return NULL;
}

/* debugfs keeps the file during the call of its open function. */
static int kalloc_debugfs_open(struct inode *inode, struct file *file)
{
	return kalloc_seq_open(file, inode->i_private, file->f_path.dentry);
}

static const struct file_operations kalloc_debugfs_fops = {
	.owner = THIS_MODULE,
	.open = kalloc_debugfs_open,
	.read_iter = kalloc_seq_read_iter,
	.llseek = kalloc_seq_lseek,
	.release = kalloc_seq_release,
};

#ifdef CONFIG_DEBUG_FS
static void kalloc_debugfs_cancel(struct dentry *dentry, void *data)
{
	const struct kalloc_seq_source *source = data;

	source->cancel(source->records);
}

/* The file, and therefore its source, exists until kalloc_seq_leave(). */
static ssize_t kalloc_debugfs_command(struct file *file, const void *text, size_t length)
{
	struct kalloc_seq_source *source = file_inode(file)->i_private;
	struct debugfs_cancellation cancellation = {
		.cancel = kalloc_debugfs_cancel,
		.cancel_data = source,
	};
	ssize_t result;

	debugfs_enter_cancellation(file, &cancellation);
	result = source->write(source->records, text, length);
	debugfs_leave_cancellation(file, &cancellation);
	return result;
}

/*
 * The copy from the writer's memory may never complete, so it precedes
 * kalloc_seq_enter(), which blocks the removal of the file.
 */
static ssize_t kalloc_debugfs_write(struct file *file, const char __user *from, size_t length,
				    loff_t *pos)
{
	struct kalloc_seq *seq = kalloc_seq_of(file);
	ssize_t result;
	void *text;

	if (length > PAGE_SIZE)
		return -E2BIG;
	text = memdup_user(from, length);
	if (IS_ERR(text))
		return PTR_ERR(text);
	result = kalloc_seq_enter(seq);
	if (!result) {
		result = kalloc_debugfs_command(file, text, length);
		kalloc_seq_leave(seq);
	}
	kfree(text);
	return result;
}
#endif

static const struct file_operations kalloc_debugfs_commands_fops = {
	.owner = THIS_MODULE,
	.open = kalloc_debugfs_open,
	.read_iter = kalloc_seq_read_iter,
#ifdef CONFIG_DEBUG_FS
	.write = kalloc_debugfs_write,
#endif
	.llseek = kalloc_seq_lseek,
	.release = kalloc_seq_release,
};

/*
 * The "unsafe" variant, in which debugfs does not block the removal of the file
 * during calls. The other variant would block it during the whole call, even
 * while the caller's memory is not available.
 */
struct dentry *kalloc_helper_debugfs_create(const char *name, struct dentry *parent, void *source,
					    bool takes_commands)
{
	umode_t mode = takes_commands ? 0600 : 0400;
	const struct file_operations *fops =
		takes_commands ? &kalloc_debugfs_commands_fops : &kalloc_debugfs_fops;

	return kalloc_debugfs_get(debugfs_create_file_unsafe(name, mode, parent, source, fops),
				  name, parent, source);
}
#endif
