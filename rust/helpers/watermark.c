// SPDX-License-Identifier: GPL-2.0-only

#include <linux/workqueue.h>

/* The work item that samples the high watermarks. Its function is in Rust. */
struct delayed_work *kalloc_helper_sampler(void);

#ifndef __BINDGEN__
void kalloc_sample_sites(struct work_struct *work);

static DECLARE_DEFERRABLE_WORK(kalloc_sampler, kalloc_sample_sites);

struct delayed_work *kalloc_helper_sampler(void)
{
	return &kalloc_sampler;
}
#endif
