// SPDX-License-Identifier: GPL-2.0-only
/*
 * Memory of the kernel's allocators, mapped from /dev/kalloc_map. The claims
 * are the guarantees of the device, and for contiguity those of the textbook.
 */

#include "memory.h"
#include "table.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define MAX_BLOCKS 8
#define MAX_PAGES 16

/* Number of times to request new blocks, until one is not contiguous. */
#define TRIES 64

struct block {
	char family[16];
	unsigned long offset;
	unsigned long bytes;
	unsigned long long first;
	size_t pages;
	unsigned long long frames[MAX_PAGES];
};

static struct block blocks[MAX_BLOCKS];
static size_t count;

/* Reads the kernel's list of the blocks of @device. */
static void read_blocks(int device)
{
	char text[8192], *line = text;
	ssize_t length = pread(device, text, sizeof(text) - 1, 0);

	if (length < 0)
		fail("%s: %s", MAP_DEVICE, strerror(errno));
	text[length] = '\0';
	memset(blocks, 0, sizeof(blocks));
	count = 0;
	for (line = strtok(text, "\n"); line; line = strtok(NULL, "\n")) {
		struct block row = { 0 }, *block;
		unsigned long page;
		unsigned long long frame;

		if (*line == '#')
			continue;
		if (sscanf(line, "%15s %lx %lu %llx %lu %llx", row.family, &row.offset, &row.bytes,
			   &row.first, &page, &frame) != 6)
			fail("%s: invalid line: %s", MAP_DEVICE, line);
		if (!count || strcmp(blocks[count - 1].family, row.family)) {
			if (count == MAX_BLOCKS)
				fail("%s: too many blocks", MAP_DEVICE);
			blocks[count++] = row;
		}
		block = &blocks[count - 1];
		if (page != block->pages || page == MAX_PAGES)
			fail("%s: pages out of order: %s", MAP_DEVICE, line);
		block->frames[block->pages++] = frame;
	}
	if (!count)
		fail("%s: no blocks", MAP_DEVICE);
}

static void *map_block(int device, const struct block *block, int protection)
{
	return mmap(NULL, block->bytes, protection, MAP_SHARED, device, block->offset);
}

/* Returns true if each word is the sum of the first word and its offset. */
static bool has_pattern(const unsigned long long *words, const struct block *block)
{
	for (size_t at = 0; at < block->bytes / sizeof(*words); at++)
		if (words[at] != block->first + at * sizeof(*words))
			return false;
	return true;
}

static bool has_frames(const char *mapping, const struct block *block)
{
	for (size_t page = 0; page < block->pages; page++)
		if (frame_of(mapping + page * page_size()) != block->frames[page])
			return false;
	return true;
}

/* Tries three ways to write. Returns the first one that is not refused, or "refused". */
static const char *write_attempts(int device, const struct block *block, void *mapping)
{
	if (map_block(device, block, PROT_READ | PROT_WRITE) != MAP_FAILED || errno != EACCES)
		return "mmap";
	if (!mprotect(mapping, block->bytes, PROT_READ | PROT_WRITE) || errno != EACCES)
		return "mprotect";
	if (strcmp(after_access(mapping, WRITE), "SIGSEGV"))
		return "store";
	return "refused";
}

static void measure_block(int device, const struct block *block)
{
	void *mapping = map_block(device, block, PROT_READ);

	if (mapping == MAP_FAILED)
		fail("%s: mmap of %s: %s", MAP_DEVICE, block->family, strerror(errno));
	fact_number(block->family, "bytes", block->bytes);
	fact(block->family, "contents", has_pattern(mapping, block) ? "same" : "differ", "same",
	     "the contents differ from the kernel's");
	fact(block->family, "frames", has_frames(mapping, block) ? "same" : "differ", "same",
	     "the frames differ from the kernel's");
	fact(block->family, "writing", write_attempts(device, block, mapping), "refused",
	     "this way of writing is not refused with EACCES or SIGSEGV");
	/* vmalloc memory can consist of several blocks of pages; see measure_vmalloc(). */
	if (strcmp(block->family, "vmalloc"))
		fact(block->family, "contiguous", yes_no(contiguous(mapping, block->pages)), "yes",
		     "its frames are not contiguous");
	munmap(mapping, block->bytes);
}

static void renew(int device)
{
	if (write(device, "renew", 5) != 5)
		fail("%s: no new blocks: %s", MAP_DEVICE, strerror(errno));
}

/* Searches for a block that is not contiguous: one is enough. */
static void measure_vmalloc(int device)
{
	bool found = false;

	for (int try = 0; try < TRIES && !found; try++) {
		const struct block *block;
		void *mapping;

		read_blocks(device);
		block = &blocks[count - 1];
		mapping = map_block(device, block, PROT_READ);
		if (mapping == MAP_FAILED || !has_pattern(mapping, block))
			fail("%s: mmap of %s: the block changed", MAP_DEVICE, block->family);
		found = !contiguous(mapping, block->pages);
		munmap(mapping, block->bytes);
		renew(device);
	}
	fact(blocks[count - 1].family, "contiguous", found ? "not_guaranteed" : "yes",
	     "not_guaranteed", "all blocks were contiguous");
}

void measure_mapped(void)
{
	int device = open(MAP_DEVICE, O_RDWR | O_CLOEXEC);
	void *mappings[MAX_BLOCKS];

	if (device < 0)
		fail("%s: %s", MAP_DEVICE, strerror(errno));
	read_blocks(device);
	for (size_t at = 0; at < count; at++)
		measure_block(device, &blocks[at]);
	if (!strcmp(blocks[count - 1].family, "vmalloc"))
		measure_vmalloc(device);

	/* The device replaces the blocks and is closed: the mappings must stay unchanged. */
	read_blocks(device);
	for (size_t at = 0; at < count; at++)
		mappings[at] = map_block(device, &blocks[at], PROT_READ);
	renew(device);
	close(device);
	for (size_t at = 0; at < count; at++) {
		bool same = mappings[at] != MAP_FAILED && has_pattern(mappings[at], &blocks[at]) &&
			    has_frames(mappings[at], &blocks[at]);

		fact(blocks[at].family, "given_up_by_the_driver", same ? "same" : "differ", "same",
		     "it changed while it was mapped");
	}
}
