// SPDX-License-Identifier: GPL-2.0-only
/*
 * alloca: memory on the stack, until the function returns.
 */

#include "memory.h"
#include "table.h"

#include <alloca.h>
#include <string.h>
#include <sys/resource.h>

#define STACK (1024ul * 1024)
#define DIRT 0xa5

/* Number of lengths to allocate on the stack to determine its steps. */
#define STEPS 256

/* Returns the distance between two allocations of @size bytes. */
static size_t distance(size_t size)
{
	char *first = hidden(alloca(size));
	char *second = hidden(alloca(size));

	return first - second;
}

static void measure_unit(void)
{
	size_t unit = 0, before = 0;

	for (size_t size = 1; size <= STEPS; size++) {
		size_t now = distance(size);

		if (before && now > before && (!unit || now - before < unit))
			unit = now - before;
		before = now;
	}
	if (!unit)
		fail("alloca: all distances are equal");
	fact("alloca", "unit", unit_name(unit), "byte", "asked for by the byte, given in steps");
}

/* Returns the address of an allocation of @size bytes, checks if it is zeroed, and fills it. */
static uintptr_t make_dirty(size_t size, bool *zero)
{
	char *piece = hidden(alloca(size));

	*zero = is_zero(piece, size);
	memset(piece, DIRT, size);
	return (uintptr_t)hidden(piece);
}

static void measure_block(void)
{
	size_t size = (BLOCK_PAGES + 1) * page_size();
	struct area before = area_of(&size), after;
	char *block = alloca(size);
	char *page = block + page_size() - (uintptr_t)block % page_size();

	touch(page, BLOCK_PAGES);
	fact("alloca", "lies_in", area_of(page).kind, "stack", "it is not on the stack");
	after = area_of(page);
	fact("alloca", "stack_grows",
	     yes_no(after.end == before.end && after.start < before.start), NULL, NULL);
	fact("alloca", "contiguous", contiguous(page, BLOCK_PAGES) ? "yes" : "not_guaranteed", NULL,
	     NULL);
}

static void use(void *size)
{
	touch(alloca(*(size_t *)size), 1);
}

static bool alloca_fits(size_t size)
{
	return !signal_of(use, &size);
}

void measure_alloca(void)
{
	uintptr_t first, second;
	bool zero;

	measure_block();
	measure_unit();
	first = make_dirty(page_size(), &zero);
	second = make_dirty(page_size(), &zero);
	fact("alloca", "freed_on_return", yes_no(first == second), NULL, NULL);
	fact("alloca", "zeroed", yes_no(zero), NULL, NULL);
	set_limit(RLIMIT_STACK, STACK);
	fact("alloca", "too_large", alloca_fits(2 * STACK) ? "ok" : "SIGSEGV", NULL, NULL);
	fact_number("alloca", "largest_in_1MiB", largest(alloca_fits, 2 * STACK));
}
