/* SPDX-License-Identifier: GPL-2.0-only */
/* The functions that the parts of kalloc_lkdtm.ko share. */

#ifndef KALLOC_PLANTED_H
#define KALLOC_PLANTED_H

#include <linux/types.h>

/* The owner type of a block. */
enum planted_family {
	PLANTED_BOX,
	PLANTED_OBJECT,
	PLANTED_PAGE,
	PLANTED_AREA,
};

/* The number of blocks after which a freed one is certainly reused. */
#define PLANTED_OTHERS 60

/* kalloc_lkdtm.rs: blocks of kalloc's owner types, which it owns until planted_free(). */
void *planted_alloc(enum planted_family family);
void planted_free(void *block);
/* Returns the number of bytes of a block; the bytes behind it do not belong to it. */
size_t planted_size(enum planted_family family);
void planted_forget(enum planted_family family);
/* Makes the cache of objects release its free slabs, and replaces the cache by another one. */
void planted_shrink(void);
void planted_renew(void);
/* Adds two numbers in Rust. */
unsigned int planted_sum(unsigned int a, unsigned int b);

/* Allocates a block, or many, without waiting for memory, and frees it. */
void planted_brief(enum planted_family family);
/* Passes a page that is mapped read-only to @use. */
void planted_read_only(void (*use)(u8 *block));

/* uninstrumented.c: accesses that the compiler does not instrument. */
u8 planted_peek(const u8 *byte);

#define PLANTED(name) void planted_##name(enum planted_family family)
#include "lkdtm.h"
#undef PLANTED

#endif
