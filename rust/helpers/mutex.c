// SPDX-License-Identifier: GPL-2.0-only

#include <linux/mutex.h>

/*
 * The mutexes of the crate. The compiler initializes them: initcalls of other
 * parts of the kernel may use kalloc before its own initcall.
 */
/* Protects the list of sites. */
struct mutex *kalloc_helper_sites_mutex(void);
/* Protects the list of files. */
struct mutex *kalloc_helper_files_mutex(void);
/* Protects the directory in debugfs. */
struct mutex *kalloc_helper_debugfs_mutex(void);

#ifndef __BINDGEN__
static DEFINE_MUTEX(kalloc_sites_mutex);
static DEFINE_MUTEX(kalloc_files_mutex);
static DEFINE_MUTEX(kalloc_debugfs_mutex);

struct mutex *kalloc_helper_sites_mutex(void)
{
	return &kalloc_sites_mutex;
}

struct mutex *kalloc_helper_files_mutex(void)
{
	return &kalloc_files_mutex;
}

struct mutex *kalloc_helper_debugfs_mutex(void)
{
	return &kalloc_debugfs_mutex;
}
#endif
