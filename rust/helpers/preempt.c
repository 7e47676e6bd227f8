// SPDX-License-Identifier: GPL-2.0-only

#include <linux/kconfig.h>
#include <linux/kernel.h>
#include <linux/preempt.h>
#include <linux/rcupdate.h>
#include <linux/sched.h>

/*
 * The number of reasons not to preempt this thread. The thread of the boot is
 * not preempted before there are others, and may call functions that sleep.
 */
static __always_inline int preempt_reasons(void)
{
#ifndef MODULE
	if (system_state == SYSTEM_BOOTING)
		return preempt_count() - PREEMPT_DISABLE_OFFSET;
#endif
	return preempt_count();
}

/*
 * The condition of might_sleep(). Without CONFIG_PREEMPT_COUNT, it does not
 * include spinlocks.
 */
static __always_inline bool is_atomic(void)
{
	return (preempt_reasons() | rcu_preempt_depth()) || irqs_disabled();
}

bool kalloc_helper_is_atomic(void);
bool kalloc_helper_is_atomic(void)
{
	return is_atomic();
}

/*
 * With CONFIG_PREEMPT_RT, spinlocks sleep, including those of the allocators.
 */
static __always_inline bool may_allocate(void)
{
	return !IS_ENABLED(CONFIG_PREEMPT_RT) || (!preempt_reasons() && !irqs_disabled());
}

bool kalloc_helper_may_allocate(void);
bool kalloc_helper_may_allocate(void)
{
	return may_allocate();
}

/*
 * vmalloc() takes its spinlocks with interrupts and bottom halves enabled. A
 * caller in an interrupt or a bottom half, or with either disabled by a lock
 * that is also taken there, could deadlock.
 */
static __always_inline bool may_map(void)
{
	return !in_interrupt() && !irqs_disabled() && may_allocate();
}

bool kalloc_helper_may_map(void);
bool kalloc_helper_may_map(void)
{
	return may_map();
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
