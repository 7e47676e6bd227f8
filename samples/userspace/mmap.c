// SPDX-License-Identifier: GPL-2.0-only
/*
 * mmap and munmap: areas of the address space.
 */

#include "memory.h"
#include "table.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

static void *map_memory(size_t size)
{
	return mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
}

static void *need(void *mapping)
{
	if (mapping == MAP_FAILED)
		fail("mmap: %s", strerror(errno));
	return mapping;
}

static void measure_file(void)
{
	size_t size = page_size();
	int file = memfd_create("kalloc-table", 0);
	char *first, *second;
	bool same;

	if (file < 0 || ftruncate(file, size) || pwrite(file, "kalloc", 6, 0) != 6)
		fail("memfd_create: %s", strerror(errno));
	first = need(mmap(NULL, size, PROT_READ, MAP_SHARED, file, 0));
	second = need(mmap(NULL, size, PROT_READ, MAP_SHARED, file, 0));
	same = !memcmp(first, "kalloc", 6) && !memcmp(second, "kalloc", 6);
	fact("mmap", "maps_files", yes_no(same), "yes", "the contents differ from the file's");
	fact("mmap", "shares_frames", yes_no(frame_of(first) == frame_of(second)), NULL, NULL);
	close(file);
	munmap(first, size);
	munmap(second, size);
}

static void measure_munmap(char *block)
{
	char *middle = block + page_size() * (BLOCK_PAGES / 2);
	size_t gap;

	if (munmap(middle, 1))
		fail("munmap: %s", strerror(errno));
	gap = area_of(middle + page_size()).start - area_of(block).end;
	fact("munmap", "unit", unit_name(gap), "page", "one byte unmaps another length");
	fact("munmap", "mapping", area_of(middle).kind, NULL, NULL);
	fact("munmap", "access", after_access(middle, READ), NULL, NULL);
	fact("munmap", "neighbours", after_access(middle - 1, READ), NULL, NULL);
}

static bool mmap_fits(size_t size)
{
	void *mapping = map_memory(size);

	if (mapping == MAP_FAILED)
		return false;
	munmap(mapping, size);
	return true;
}

void measure_mmap(void)
{
	/* One more page on each side isolates the block from other mappings. */
	size_t size = (BLOCK_PAGES + 2) * page_size();
	char *block = need(map_memory(size)), *byte;
	size_t growth;

	if (mprotect(block, page_size(), PROT_NONE) ||
	    mprotect(block + size - page_size(), page_size(), PROT_NONE))
		fail("mprotect: %s", strerror(errno));
	block += page_size();
	fact("mmap", "lies_in", area_of(block).kind, NULL, NULL);
	fact_number("mmap", "frames_before_touch", frames_present(block, BLOCK_PAGES));
	fact("mmap", "zeroed", yes_no(is_zero(block, BLOCK_PAGES * page_size())), NULL, NULL);
	touch(block, BLOCK_PAGES);
	fact("mmap", "maps_memory", after_access(block, WRITE), "ok", "it cannot be written");
	fact("mmap", "contiguous", contiguous(block, BLOCK_PAGES) ? "yes" : "not_guaranteed", NULL,
	     NULL);
	measure_munmap(block);

	/* The page is between two inaccessible pages, which isolate the mapping of one byte. */
	byte = block - page_size();
	munmap(byte, size);
	byte = need(mmap(byte, 1, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED,
			 -1, 0));
	growth = area_of(byte).end - (uintptr_t)byte;
	fact("mmap", "unit", unit_name(growth), "page", "one byte takes another length");
	byte = map_memory(0);
	fact("mmap", "length_0", byte == MAP_FAILED ? errno_name(errno) : "ok", NULL, NULL);
	measure_file();
	set_limit(RLIMIT_AS, LIMIT);
	fact_number("mmap", "largest_in_256MiB", largest(mmap_fits, 2 * LIMIT));
}
