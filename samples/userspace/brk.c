// SPDX-License-Identifier: GPL-2.0-only
/*
 * brk and sbrk: the end of the heap.
 */

#include "memory.h"
#include "table.h"

#include <errno.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

static char *move(intptr_t by)
{
	void *before = sbrk(by);

	if (before == (void *)-1)
		fail("sbrk: %s", strerror(errno));
	return before;
}

/* Returns the kernel's program break; libc keeps its own copy. */
static char *kernels_break(void)
{
	return (char *)syscall(SYS_brk, 0);
}

static bool sbrk_fits(size_t size)
{
	if (sbrk(size) == (void *)-1)
		return false;
	move(-(intptr_t)size);
	return true;
}

void measure_brk(void)
{
	size_t page = page_size(), growth;
	char *start = move(0), *first, *end;
	bool zero;

	fact("sbrk", "sbrk_0_is_the_break", yes_no(start == kernels_break()), "yes",
	     "the kernel's break differs");
	if (brk(start + 1))
		fail("brk: %s", strerror(errno));
	fact("brk", "moves_the_break", yes_no(kernels_break() == start + 1), "yes",
	     "the break has another address");
	fact("brk", "unit_of_the_break", unit_name(kernels_break() - start), NULL, NULL);

	/* Continues from the start of a page. */
	first = (char *)(((uintptr_t)move(0) + page - 1) / page * page);
	if (brk(first))
		fail("brk: %s", strerror(errno));
	move(1);
	growth = area_of(first).end - (uintptr_t)first;
	fact("brk", "unit_of_the_mapping", unit_name(growth), NULL, NULL);
	fact("sbrk", "lies_in", area_of(first).kind, NULL, NULL);
	move(BLOCK_PAGES * page);
	end = move(0);
	fact("sbrk", "moves_the_break", yes_no(end == first + 1 + BLOCK_PAGES * page), "yes",
	     "the break has another address");
	zero = is_zero(first, end - first);
	fact("sbrk", "zeroed_fresh", yes_no(zero), NULL, NULL);
	touch(first, BLOCK_PAGES);
	fact("sbrk", "contiguous", contiguous(first, BLOCK_PAGES) ? "yes" : "not_guaranteed", NULL,
	     NULL);

	/* Moves the break within a page, which stays mapped; then below the page. */
	memset(first, 1, page);
	if (brk(first + page / 2) || brk(first + page))
		fail("brk: %s", strerror(errno));
	zero = is_zero(first + page / 2, page / 2);
	fact("sbrk", "zeroed_within_a_page", yes_no(zero), NULL, NULL);
	move(-(intptr_t)page);
	fact("sbrk", "mapping_below_the_break", area_of(first).kind, NULL, NULL);
	fact("sbrk", "access_below_the_break", after_access(first, READ), NULL, NULL);

	set_limit(RLIMIT_DATA, LIMIT);
	fact_number("sbrk", "largest_in_256MiB", largest(sbrk_fits, 2 * LIMIT));
}
