// SPDX-License-Identifier: GPL-2.0
/*
 * Refuses the current thread its nth allocation from now on, or all of them: what
 * a process asks for with fail-nth and make-it-fail in /proc/self. For tests/kunit/fault.rs.
 */

#include <linux/debugfs.h>
#include <linux/fs.h>
#include <linux/mmzone.h>
#include <linux/sched.h>

/* What a file in debugfs sets, which it keeps a pointer to. */
static void *setting(const char *folder, const char *name)
{
	struct dentry *dir = debugfs_lookup(folder, NULL);
	struct dentry *file = dir ? debugfs_lookup(name, dir) : NULL;
	void *value = file ? d_inode(file)->i_private : NULL;

	dput(file);
	dput(dir);
	return value;
}

/*
 * Exempts no allocation, has all of a thread refused that asks for it, and keeps
 * the log free of it. Whether that could be done.
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

/* How many allocations there are yet to come before the one that is refused; 0: it was. */
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
 * Refuses slab objects only, and only to those who would not wait for them; or again what it did
 * before.
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
