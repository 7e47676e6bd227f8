// SPDX-License-Identifier: GPL-2.0-only

#include <linux/sched.h>

void kalloc_helper_cond_resched(void);
void kalloc_helper_cond_resched(void)
{
	cond_resched();
}
