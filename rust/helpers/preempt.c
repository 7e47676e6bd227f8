// SPDX-License-Identifier: GPL-2.0

#include <linux/preempt.h>
#include <linux/rcupdate.h>

/* What might_sleep() asks. Without CONFIG_PREEMPT_COUNT, spinlocks do not show. */
static __always_inline bool is_atomic(void)
{
	return (preempt_count() | rcu_preempt_depth()) || irqs_disabled();
}

bool kalloc_helper_is_atomic(void);
bool kalloc_helper_is_atomic(void)
{
	return is_atomic();
}

bool kalloc_helper_in_task(void);
bool kalloc_helper_in_task(void)
{
	return in_task();
}

void kalloc_helper_preempt_disable(void);
void kalloc_helper_preempt_disable(void)
{
	preempt_disable();
}

void kalloc_helper_preempt_enable(void);
void kalloc_helper_preempt_enable(void)
{
	preempt_enable();
}
