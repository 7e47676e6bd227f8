// SPDX-License-Identifier: GPL-2.0-only

#include <linux/workqueue.h>

void kalloc_helper_init_work(struct work_struct *work, work_func_t func);
void kalloc_helper_init_work(struct work_struct *work, work_func_t func)
{
	INIT_WORK(work, func);
}

void kalloc_helper_schedule_work(struct work_struct *work);
void kalloc_helper_schedule_work(struct work_struct *work)
{
	/*
	 * Large amounts of memory may have to be freed: the unbound workqueue
	 * does not delay other work of this CPU.
	 */
	queue_work(system_dfl_wq, work);
}

void kalloc_helper_init_deferrable_work(struct delayed_work *work, work_func_t func);
void kalloc_helper_init_deferrable_work(struct delayed_work *work, work_func_t func)
{
	INIT_DEFERRABLE_WORK(work, func);
}

void kalloc_helper_schedule_delayed_work(struct delayed_work *work, unsigned int ms);
void kalloc_helper_schedule_delayed_work(struct delayed_work *work, unsigned int ms)
{
	schedule_delayed_work(work, msecs_to_jiffies(ms));
}
