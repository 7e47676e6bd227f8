// SPDX-License-Identifier: GPL-2.0-only

#include <linux/debugfs.h>
#include <linux/fs.h>
#include <linux/mutex.h>
#include <linux/seq_file.h>
#include <linux/slab.h>
#include <linux/uio.h>

/*
 * The functions and the records of a file: `Source` in rust/fs/owner.rs. The
 * parameter types must be equal, because the kernel compares them with CFI.
 * Both `write` and `cancel` are NULL for a file that accepts no commands.
 */
struct kalloc_seq_source {
	const struct seq_operations *ops;
	void *records;
	ssize_t (*write)(void *records, const void *text, size_t length);
	void (*cancel)(void *records);
};

/* An open file of records: the private data of its seq_file. */
struct kalloc_seq {
	/*
	 * Admits one reader at a time. seq_file's own lock, on which a waiting
	 * process cannot be killed, is then uncontended.
	 */
	struct mutex lock;
	void *records;
	/* The entry of a file in debugfs, else NULL. */
	struct dentry *dentry;
	bool hides_addresses;
	/*
	 * One page. `count` bytes from `from` on are those of the file at
	 * `pos`, and are not yet copied to the reader.
	 */
	char *text;
	size_t from, count;
	loff_t pos;
};

bool kalloc_helper_seq_hides_addresses(const struct seq_file *m);
bool kalloc_helper_seq_hides_addresses(const struct seq_file *m)
{
	return ((const struct kalloc_seq *)m->private)->hides_addresses;
}

void *kalloc_helper_seq_records(const struct seq_file *m);
void *kalloc_helper_seq_records(const struct seq_file *m)
{
	return ((const struct kalloc_seq *)m->private)->records;
}

#ifndef __BINDGEN__
static struct kalloc_seq *kalloc_seq_of(const struct file *file)
{
	return ((struct seq_file *)file->private_data)->private;
}

static int kalloc_seq_open(struct file *file, const struct kalloc_seq_source *source,
			   struct dentry *dentry)
{
	struct kalloc_seq *seq = __seq_open_private(file, source->ops, sizeof(*seq));

	if (!seq)
		return -ENOMEM;
	mutex_init(&seq->lock);
	seq->records = source->records;
	seq->dentry = dentry;
	/*
	 * The rule is applied to the opener, as in /proc/kallsyms, because the
	 * text may be read by another process.
	 */
	seq->hides_addresses = kalloc_helper_hides_addresses();
	/*
	 * The lock of the file position would be held during a whole command or
	 * read, and no signal ends waiting for it. Without that lock,
	 * concurrent readers of one open file may get the same records, as for
	 * a device.
	 */
	file->f_mode &= ~FMODE_ATOMIC_POS;
	return 0;
}

static int kalloc_seq_release(struct inode *inode, struct file *file)
{
	kfree(kalloc_seq_of(file)->text);
	return seq_release_private(inode, file);
}

/*
 * Between kalloc_seq_enter() and kalloc_seq_leave(), the removal of a file in
 * debugfs waits. procfs has its own mechanism.
 */
static int kalloc_seq_enter(const struct kalloc_seq *seq)
{
	return seq->dentry ? debugfs_file_get(seq->dentry) : 0;
}

static void kalloc_seq_leave(const struct kalloc_seq *seq)
{
	if (seq->dentry)
		debugfs_file_put(seq->dentry);
}

/*
 * Fills `text` with up to `size` bytes of the file from its position on.
 * Returns 0 at the end of the file.
 */
static ssize_t kalloc_seq_render(struct kalloc_seq *seq, struct kiocb *iocb, size_t size)
{
	struct kvec vec = { .iov_len = min_t(size_t, size, PAGE_SIZE) };
	loff_t pos = iocb->ki_pos;
	struct iov_iter iter;
	ssize_t result;

	result = kalloc_seq_enter(seq);
	if (result)
		return result;
	/* seq_file also starts again at position 0. */
	if (!seq->count || seq->pos != pos || !pos) {
		// GFP: A reader may sleep, and is charged for its page.
		if (!seq->text)
			seq->text = kmalloc(PAGE_SIZE, GFP_KERNEL_ACCOUNT);
		vec.iov_base = seq->text;
		iov_iter_kvec(&iter, ITER_DEST, &vec, 1, vec.iov_len);
		result = seq->text ? seq_read_iter(iocb, &iter) : -ENOMEM;
		seq->from = 0;
		seq->count = max_t(ssize_t, result, 0);
		seq->pos = pos;
		iocb->ki_pos = pos;
	}
	kalloc_seq_leave(seq);
	return seq->count ?: result;
}

/*
 * The copy to the reader's memory may never complete, for example with
 * userfaultfd or FUSE. A file in debugfs can be removed during the copy.
 */
static ssize_t kalloc_seq_read_iter(struct kiocb *iocb, struct iov_iter *to)
{
	struct kalloc_seq *seq = kalloc_seq_of(iocb->ki_filp);
	size_t size = iov_iter_count(to), copied;
	ssize_t result;

	if (!size)
		return 0;
	result = mutex_lock_killable(&seq->lock);
	if (result)
		return result;
	result = kalloc_seq_render(seq, iocb, size);
	if (result > 0) {
		copied = copy_to_iter(seq->text + seq->from, min(size, seq->count), to);
		seq->from += copied;
		seq->count -= copied;
		seq->pos += copied;
		iocb->ki_pos = seq->pos;
		result = copied ?: -EFAULT;
	}
	mutex_unlock(&seq->lock);
	return result;
}

/* Seeking also shows records, to count the bytes before the new position. */
static loff_t kalloc_seq_lseek(struct file *file, loff_t offset, int whence)
{
	struct kalloc_seq *seq = kalloc_seq_of(file);
	loff_t result;

	result = mutex_lock_killable(&seq->lock);
	if (result)
		return result;
	result = kalloc_seq_enter(seq);
	if (!result) {
		seq->count = 0;
		result = seq_lseek(file, offset, whence);
		kalloc_seq_leave(seq);
	}
	mutex_unlock(&seq->lock);
	return result;
}
#endif
