// SPDX-License-Identifier: GPL-2.0-only

#include <linux/workqueue.h>

/*
 * The work items of the crate, whose functions are in Rust. The compiler
 * initializes them, as the mutexes.
 */
struct work_struct *kalloc_helper_deferred_free(void);
struct work_struct *kalloc_helper_reaper(void);
struct work_struct *kalloc_helper_row_creator(void);
struct delayed_work *kalloc_helper_sampler(void);

#ifndef __BINDGEN__
void kalloc_free_deferred(struct work_struct *work);
void kalloc_reap_caches(struct work_struct *work);
void kalloc_create_rows(struct work_struct *work);
void kalloc_sample_sites(struct work_struct *work);

static DECLARE_WORK(kalloc_deferred_free, kalloc_free_deferred);
static DECLARE_WORK(kalloc_reaper, kalloc_reap_caches);
static DECLARE_WORK(kalloc_row_creator, kalloc_create_rows);
static DECLARE_DEFERRABLE_WORK(kalloc_sampler, kalloc_sample_sites);

struct work_struct *kalloc_helper_deferred_free(void)
{
	return &kalloc_deferred_free;
}

struct work_struct *kalloc_helper_reaper(void)
{
	return &kalloc_reaper;
}

struct work_struct *kalloc_helper_row_creator(void)
{
	return &kalloc_row_creator;
}

struct delayed_work *kalloc_helper_sampler(void)
{
	return &kalloc_sampler;
}
#endif

void kalloc_helper_schedule_work(struct work_struct *work);
void kalloc_helper_schedule_work(struct work_struct *work)
{
	/*
	 * Large amounts of memory may have to be freed: the unbound workqueue
	 * does not delay other work of this CPU.
	 */
	queue_work(system_dfl_wq, work);
}

void kalloc_helper_schedule_delayed_work(struct delayed_work *work, unsigned int ms);
void kalloc_helper_schedule_delayed_work(struct delayed_work *work, unsigned int ms)
{
	schedule_delayed_work(work, msecs_to_jiffies(ms));
}

struct workqueue_struct *kalloc_helper_alloc_workqueue(const char *name, unsigned int flags,
						       int max_active);
struct workqueue_struct *kalloc_helper_alloc_workqueue(const char *name, unsigned int flags,
						       int max_active)
{
	return alloc_workqueue("%s", flags, max_active, name);
}

void kalloc_helper_flush_workqueue(struct workqueue_struct *queue);
void kalloc_helper_flush_workqueue(struct workqueue_struct *queue)
{
	flush_workqueue(queue);
}
