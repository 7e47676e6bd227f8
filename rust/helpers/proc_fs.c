// SPDX-License-Identifier: GPL-2.0

#include <linux/fs.h>
#include <linux/proc_fs.h>
#include <linux/seq_file.h>

void *kalloc_helper_seq_pde_data(const struct seq_file *m);
void *kalloc_helper_seq_pde_data(const struct seq_file *m)
{
	return pde_data(file_inode(m->file));
}
