// SPDX-License-Identifier: GPL-2.0-only
/* Bugs on objects of KFENCE: each object is in a page between two guard pages. */

#include <linux/delay.h>
#include <linux/kfence.h>
#include <linux/mm.h>
#include <linux/slab.h>

#include "owned_blocks.h"

/* Returns an object of KFENCE, which serves only some allocations; NULL if KFENCE is off. */
static u8 *planted_fenced(enum planted_family family)
{
	u8 *block = planted_alloc(family);
	int tries;

	for (tries = 0; tries < 20000 && !is_kfence_address(block); tries++) {
		planted_free(block);
		usleep_range(100, 200);
		block = planted_alloc(family);
	}
	return block;
}

/* KASAN leaves the objects of KFENCE to KFENCE. */
noinline void planted_fenced_read(enum planted_family family)
{
	u8 *block = planted_fenced(family);

	planted_free(block);
	READ_ONCE(*block);
}

/* The object is at one end of its page. */
noinline void planted_fenced_overread(enum planted_family family)
{
	u8 *block = planted_fenced(family);

	READ_ONCE(*(offset_in_page(block) ? PTR_ALIGN(block, PAGE_SIZE) : block - 1));
	planted_free(block);
}

/* The slack of the class is in the same page: KFENCE checks it when the object is freed. */
noinline void planted_fenced_overrun(enum planted_family family)
{
	u8 *block = planted_fenced(family);

	WRITE_ONCE(block[planted_size(family)], ~block[planted_size(family)]);
	planted_free(block);
}

noinline void planted_fenced_double_free(enum planted_family family)
{
	u8 *block = planted_fenced(family);

	kfree(block);
	planted_free(block);
}
