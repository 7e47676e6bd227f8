// SPDX-License-Identifier: GPL-2.0-only
/*
 * Contexts in which any allocation is a bug on a real-time kernel, even one that does not wait for
 * memory: the allocators' own locks sleep there. On other kernels it is none.
 */

#include <linux/irqflags.h>
#include <linux/preempt.h>
#include <linux/spinlock.h>

#include "owned_blocks.h"

static DEFINE_RAW_SPINLOCK(planted_lock);

noinline void planted_raw(enum planted_family family)
{
	raw_spin_lock(&planted_lock);
	planted_brief(family);
	raw_spin_unlock(&planted_lock);
}

noinline void planted_masked(enum planted_family family)
{
	unsigned long flags;

	local_irq_save(flags);
	planted_brief(family);
	local_irq_restore(flags);
}

noinline void planted_pinned(enum planted_family family)
{
	preempt_disable();
	planted_brief(family);
	preempt_enable();
}

/* Takes a lock that sleeps under one that does not. */
noinline void planted_nested(enum planted_family family)
{
	spinlock_t *inner = planted_alloc(family);

	spin_lock_init(inner);
	raw_spin_lock(&planted_lock);
	spin_lock(inner);
	spin_unlock(inner);
	raw_spin_unlock(&planted_lock);
	planted_free(inner);
}
