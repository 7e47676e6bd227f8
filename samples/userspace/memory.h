/* SPDX-License-Identifier: GPL-2.0 */
/*
 * What the kernel says of this process's memory, and what touching it does.
 */
#ifndef MEMORY_H
#define MEMORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* As many pages as a block needs for its page frames to tell something. */
#define BLOCK_PAGES 64

#define LIMIT (256ul * 1024 * 1024)

/* The same pointer, of which the compiler knows nothing: not that it was freed, either. */
static inline void *hidden(void *pointer)
{
	__asm__ volatile("" : "+r"(pointer) : : "memory");
	return pointer;
}

size_t page_size(void);

/* What memory is counted in, as a word: byte, page, or N_bytes. Good until the next call. */
const char *unit_name(size_t bytes);

/* The page frame at @address, 0 if there is none. */
unsigned long long frame_of(const void *address);

/* How many of the pages that begin at @address have a frame. */
size_t frames_present(const void *address, size_t pages);

/* Whether the frames of these pages follow each other. All must be there. */
bool contiguous(const void *address, size_t pages);

/*
 * Writes to every page; every other one first, since the page allocator hands out
 * frames one after another, upwards or downwards, as long as it can.
 */
void touch(void *address, size_t pages);

/* Whether all bytes are 0. */
bool is_zero(const void *address, size_t size);

/* An area of the address space, as /proc/self/maps has it. */
struct area {
	uintptr_t start;
	uintptr_t end;
	/* heap, stack, anonymous, file, or none if nothing is mapped there */
	const char *kind;
};

struct area area_of(const void *address);

enum access {
	READ,
	WRITE,
};

/* Runs @body in a child; returns the signal of a wrong access that it ended by, or 0. */
int signal_of(void (*body)(void *arg), void *arg);

/* What happens to a process that touches @address: ok, SIGSEGV or SIGBUS */
const char *after_access(void *address, enum access access);

/* Sets a resource limit of this process. */
void set_limit(int resource, size_t bytes);

/* The largest size up to @limit that @fits, by halves. */
size_t largest(bool (*fits)(size_t size), size_t limit);

/* The name of an errno that mapping memory can end with. */
const char *errno_name(int error);

#endif
