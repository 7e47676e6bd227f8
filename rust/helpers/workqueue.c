// SPDX-License-Identifier: GPL-2.0-only

#include <linux/workqueue.h>

/*
 * The work item of deferred frees, whose function is in Rust. The compiler
 * initializes it and the other work items of the crate, as the mutexes.
 */
struct work_struct *kalloc_helper_deferred_free(void);

#ifndef __BINDGEN__
void kalloc_free_deferred(struct work_struct *work);

static DECLARE_WORK(kalloc_deferred_free, kalloc_free_deferred);

struct work_struct *kalloc_helper_deferred_free(void)
{
	return &kalloc_deferred_free;
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
