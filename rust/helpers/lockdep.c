// SPDX-License-Identifier: GPL-2.0

#include <linux/sched.h>

/*
 * Whether debug_check_no_locks_freed() would report this memory, as the current
 * thread has a lock in it.
 */
bool kalloc_helper_is_locked(const void *memory, size_t size);
bool kalloc_helper_is_locked(const void *memory, size_t size)
{
#ifdef CONFIG_LOCKDEP
	for (int i = 0; i < current->lockdep_depth; i++) {
		const void *lock = current->held_locks[i].instance;

		if (lock >= memory && lock < memory + size)
			return true;
	}
#endif
	return false;
}
