// SPDX-License-Identifier: GPL-2.0-only

#include <linux/refcount.h>

bool kalloc_helper_refcount_inc_not_zero_acquire(refcount_t *r);
bool kalloc_helper_refcount_inc_not_zero_acquire(refcount_t *r)
{
	return refcount_inc_not_zero_acquire(r);
}
