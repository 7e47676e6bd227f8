// SPDX-License-Identifier: GPL-2.0-only
/*
 * Skips a KUnit case that needs a facility which this kernel lacks:
 * kunit_skip().
 */

#include <kunit/test-bug.h>
#include <kunit/test.h>

void kalloc_test_skip(const char *reason);
void kalloc_test_skip(const char *reason)
{
	kunit_skip(kunit_get_current_test(), "%s", reason);
}
