// SPDX-License-Identifier: GPL-2.0-only
/*
 * malloc, calloc, realloc and free: the C library's allocator, on top of the
 * program break and of mappings.
 */

#include "memory.h"
#include "table.h"

#include <malloc.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>

/* The size of blocks that come from the heap, and are too large for the lists that calloc skips. */
#define SMALL 2000
#define DIRT 0xa5

/* Number of lengths to allocate on the heap to determine its steps. */
#define STEPS 256

static void *need(void *block)
{
	if (!block)
		fail("malloc: no memory");
	return hidden(block);
}

/*
 * Measures the step of usable sizes, the smallest size, and the common
 * alignment of all addresses.
 */
static void measure_unit(void)
{
	size_t unit = 0, before = 0, smallest = 0;
	uintptr_t bits = 0;

	for (size_t size = 1; size <= STEPS; size++) {
		void *block = need(malloc(size));
		size_t usable = malloc_usable_size(block);

		if (!smallest)
			smallest = usable;
		if (before && usable > before && (!unit || usable - before < unit))
			unit = usable - before;
		before = usable;
		/* The block is not freed, so that the next one has another address. */
		bits |= (uintptr_t)block;
	}
	if (!unit)
		fail("malloc: all usable sizes are equal");
	fact("malloc", "unit", unit_name(unit), "byte", "asked for by the byte, given in steps");
	fact_number("malloc", "smallest", smallest);
	fact_number("malloc", "alignment", bits & -bits);
}

/* Frees a block that was filled, and makes @again allocate the same memory. */
static void *recycled(void *(*again)(size_t size))
{
	char *guard, *dirty = need(malloc(SMALL));
	void *block, *where;

	/* Separates the block from the free memory behind it. */
	guard = need(malloc(SMALL));
	memset(dirty, DIRT, SMALL);
	where = hidden(dirty);
	free(dirty);
	block = need(again(SMALL));
	if (block != where)
		fail("malloc: a freed block was not used again");
	free(guard);
	return block;
}

static void *clean(size_t size)
{
	return calloc(1, size);
}

static void measure_zeroing(void)
{
	fact("malloc", "zeroed", yes_no(is_zero(recycled(malloc), SMALL)), NULL, NULL);
	fact("calloc", "zeroed", yes_no(is_zero(recycled(clean), SMALL)), "yes",
	     "a recycled block was not zeroed");
}

static void measure_large(void)
{
	size_t size = BLOCK_PAGES * page_size();
	char *block = need(malloc(size));
	/* The library's header precedes the block; the first whole page follows. */
	char *page = block + page_size() - (uintptr_t)block % page_size();
	unsigned long long frame;

	fact("malloc", "lies_in_large", area_of(block).kind, "heap",
	     "a large block is a mapping of its own");
	fact_number("malloc", "frames_before_touch", frames_present(page, BLOCK_PAGES - 1));
	touch(page, BLOCK_PAGES - 1);
	fact("malloc", "contiguous",
	     contiguous(page, BLOCK_PAGES - 1) ? "yes" : "not_guaranteed", "not_guaranteed",
	     "all frames of the block are contiguous");

	*page = 77;
	frame = frame_of(page);
	block = need(realloc(block, 64 * size));
	page = block + page_size() - (uintptr_t)block % page_size();
	fact("realloc", "large_keeps_frames", yes_no(*page == 77 && frame_of(page) == frame),
	     NULL, NULL);
	page = hidden(page);
	free(block);
	fact("free", "large_mapping", area_of(page).kind, NULL, NULL);
	fact("free", "large_access", after_access(page, READ), NULL, NULL);
}

static void measure_realloc(void)
{
	char *block = need(malloc(SMALL)), *behind = need(malloc(SMALL)), *grown;
	char *before = hidden(block);
	bool kept = true;

	memset(block, DIRT, SMALL);
	grown = need(realloc(block, 2 * SMALL));
	for (int at = 0; at < SMALL; at++)
		kept &= (unsigned char)grown[at] == DIRT;
	fact("realloc", "resizes", yes_no(kept && malloc_usable_size(grown) >= 2 * SMALL), "yes",
	     "the contents were not kept");
	fact("realloc", "moves_to_grow", yes_no(grown != before), NULL, NULL);
	before = hidden(grown);
	grown = need(realloc(grown, SMALL));
	fact("realloc", "moves_to_shrink", yes_no(grown != before), NULL, NULL);
	free(behind);

	before = hidden(grown);
	free(grown);
	fact("free", "small_mapping", area_of(before).kind, NULL, NULL);
	fact("free", "small_access", after_access(before, READ), NULL, NULL);
}

static bool malloc_fits(size_t size)
{
	void *block = malloc(size);

	free(block);
	return block;
}

void measure_malloc(void)
{
	void *block = need(malloc(SMALL));

	fact("malloc", "lies_in", area_of(block).kind, "heap", "it is a mapping of its own");
	measure_unit();
	measure_zeroing();
	measure_realloc();
	measure_large();
	set_limit(RLIMIT_AS, LIMIT);
	fact_number("malloc", "largest_in_256MiB", largest(malloc_fits, 2 * LIMIT));
}
