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
	struct kunit *test = kunit_get_current_test();

	/* Outside of a case, the function returns: objtool has a list of those that never do. */
	if (test)
		kunit_skip(test, "%s", reason);
}
