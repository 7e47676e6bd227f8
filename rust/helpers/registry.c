// SPDX-License-Identifier: GPL-2.0-only

#include <linux/workqueue.h>

/* The work items of the registry, whose functions are in Rust. */
struct work_struct *kalloc_helper_reaper(void);
struct work_struct *kalloc_helper_row_creator(void);

#ifndef __BINDGEN__
void kalloc_reap_caches(struct work_struct *work);
void kalloc_create_rows(struct work_struct *work);

static DECLARE_WORK(kalloc_reaper, kalloc_reap_caches);
static DECLARE_WORK(kalloc_row_creator, kalloc_create_rows);

struct work_struct *kalloc_helper_reaper(void)
{
	return &kalloc_reaper;
}

struct work_struct *kalloc_helper_row_creator(void)
{
	return &kalloc_row_creator;
}
#endif
