// SPDX-License-Identifier: GPL-2.0

#include <linux/workqueue.h>

void kalloc_helper_init_work(struct work_struct *work, work_func_t func);
void kalloc_helper_init_work(struct work_struct *work, work_func_t func)
{
	INIT_WORK(work, func);
}

void kalloc_helper_schedule_work(struct work_struct *work);
void kalloc_helper_schedule_work(struct work_struct *work)
{
	schedule_work(work);
}
