// SPDX-License-Identifier: GPL-2.0-only

#include <linux/sched.h>

/*
 * Returns true if debug_check_no_locks_freed() would report this memory,
 * because the current thread holds a lock in it.
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
