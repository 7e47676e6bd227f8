// SPDX-License-Identifier: GPL-2.0-only
/*
 * Fault injection for the current thread: makes its nth allocation from now on
 * fail, or all of them. A process does the same with fail-nth and make-it-fail
 * in /proc/self. For tests/kunit/fault.rs.
 */

#include <linux/debugfs.h>
#include <linux/fs.h>
#include <linux/mmzone.h>
#include <linux/sched.h>

/* Returns the variable of a debugfs file, to which the file has a pointer. */
static void *setting(const char *directory, const char *name)
{
	struct dentry *dir = debugfs_lookup(directory, NULL);
	struct dentry *file = dir ? debugfs_lookup(name, dir) : NULL;
	void *value = file ? d_inode(file)->i_private : NULL;

	dput(file);
	dput(dir);
	return value;
}

/*
 * Exempts no allocation from fault injection, applies it to all allocations of
 * threads that request it, and disables its log messages. Returns true on
 * success.
 */
static bool expose(const char *injector)
{
	bool *spare_waiting = setting(injector, "ignore-gfp-wait");
	bool *task_filter = setting(injector, "task-filter");
	unsigned long *probability = setting(injector, "probability");
	unsigned long *verbose = setting(injector, "verbose");
	atomic_t *times = setting(injector, "times");

	if (!spare_waiting || !task_filter || !probability || !verbose || !times)
		return false;
	*spare_waiting = false;
	*task_filter = true;
	*probability = 100;
	*verbose = 0;
	atomic_set(times, -1);
	return true;
}

bool kalloc_test_expose(void);
bool kalloc_test_expose(void)
{
	bool *spare_high = setting("fail_page_alloc", "ignore-gfp-highmem");
	u32 *order = setting("fail_page_alloc", "min-order");

	if (!spare_high || !order)
		return false;
	*spare_high = false;
	*order = 0;
	return expose("failslab") && expose("fail_page_alloc");
}

void kalloc_test_refuse(unsigned int nth);
void kalloc_test_refuse(unsigned int nth)
{
	WRITE_ONCE(current->fail_nth, nth);
}

/*
 * Returns the number of allocations until the failing one; 0 if it has failed.
 */
unsigned int kalloc_test_pending(void);
unsigned int kalloc_test_pending(void)
{
	return READ_ONCE(current->fail_nth);
}

void kalloc_test_refuse_all(bool all);
void kalloc_test_refuse_all(bool all)
{
	WRITE_ONCE(current->make_it_fail, all);
}

/*
 * Makes only slab allocations that do not wait fail, or restores the previous
 * settings.
 */
void kalloc_test_refuse_atomic(bool atomic);
void kalloc_test_refuse_atomic(bool atomic)
{
	bool *spare_waiting = setting("failslab", "ignore-gfp-wait");
	u32 *order = setting("fail_page_alloc", "min-order");

	if (!spare_waiting || !order)
		return;
	*spare_waiting = atomic;
	*order = atomic ? MAX_PAGE_ORDER + 1 : 0;
	kalloc_test_refuse_all(atomic);
}
