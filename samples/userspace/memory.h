/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The kernel's information about the memory of this process, and the effects of
 * accessing it.
 */
#ifndef MEMORY_H
#define MEMORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The number of pages of a block, enough for its page frames to be meaningful. */
#define BLOCK_PAGES 64

#define LIMIT (256ul * 1024 * 1024)

/* Returns the same pointer, and hides its origin from the compiler, including that it was freed. */
static inline void *hidden(void *pointer)
{
	__asm__ volatile("" : "+r"(pointer) : : "memory");
	return pointer;
}

size_t page_size(void);

/* Returns the name of a unit: byte, page, or N_bytes. Valid until the next call. */
const char *unit_name(size_t bytes);

/* Returns the page frame at @address, or 0 if there is none. */
unsigned long long frame_of(const void *address);

/* Returns the number of pages from @address on that have a frame. */
size_t frames_present(const void *address, size_t pages);

/* Returns true if the frames of these pages are contiguous. All pages must have frames. */
bool contiguous(const void *address, size_t pages);

/*
 * Writes to every page. The even pages come first, because the page allocator
 * allocates contiguous frames, upwards or downwards, as long as it can.
 */
void touch(void *address, size_t pages);

/* Returns true if all bytes are 0. */
bool is_zero(const void *address, size_t size);

/* An area of the address space, as in /proc/self/maps. */
struct area {
	uintptr_t start;
	uintptr_t end;
	/* heap, stack, anonymous, file, or none if nothing is mapped */
	const char *kind;
};

struct area area_of(const void *address);

enum access {
	READ,
	WRITE,
};

/* Runs @body in a child process. Returns the signal of an invalid access that ended it, or 0. */
int signal_of(void (*body)(void *arg), void *arg);

/* Returns the result of accessing @address in a process: ok, SIGSEGV or SIGBUS. */
const char *after_access(void *address, enum access access);

/* Sets a resource limit of this process. */
void set_limit(int resource, size_t bytes);

/* Returns the largest size up to @limit for which @fits returns true, by binary search. */
size_t largest(bool (*fits)(size_t size), size_t limit);

/* Returns the name of an errno of a memory mapping call. */
const char *errno_name(int error);

#endif
