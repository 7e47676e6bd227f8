/* SPDX-License-Identifier: GPL-2.0 */
/* What the parts of kalloc_lkdtm.ko have of each other. */

#ifndef KALLOC_PLANTED_H
#define KALLOC_PLANTED_H

#include <linux/types.h>

/* Where a block comes from. */
enum planted_family {
	PLANTED_BOX,
	PLANTED_OBJECT,
	PLANTED_PAGE,
	PLANTED_AREA,
};

/* Blocks that are enough to get one that was free. */
#define PLANTED_OTHERS 60

/* kalloc_lkdtm.rs: memory of kalloc's owner types, which it owns until it is told to free it. */
void *planted_alloc(enum planted_family family);
void planted_free(void *block);
/* Bytes of a block, which is followed by some that are not its own. */
size_t planted_size(enum planted_family family);
void planted_forget(enum planted_family family);
/* Has the cache of objects return what is free; puts another one in its place. */
void planted_shrink(void);
void planted_renew(void);
/* Adds in Rust. */
unsigned int planted_sum(unsigned int a, unsigned int b);

/* Allocates a block, or many, without waiting for memory; frees it. */
void planted_brief(enum planted_family family);
/* Has somebody use a page that is mapped, so that it can be read only. */
void planted_read_only(void (*use)(u8 *block));

/* uninstrumented.c: what the compiler does not check. */
u8 planted_peek(const u8 *byte);

#define PLANTED(name) void planted_##name(enum planted_family family)
#include "lkdtm.h"
#undef PLANTED

#endif
