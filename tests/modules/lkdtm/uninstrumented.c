// SPDX-License-Identifier: GPL-2.0-only
/*
 * Bugs that KASAN does not see, because this file is compiled without it. Assembly, devices, and
 * kernels without KASAN cause such bugs. Other checks must find the corruption.
 */

#include <linux/compiler.h>
#include <linux/gfp.h>
#include <linux/sched.h>

#include "owned_blocks.h"

u8 planted_peek(const u8 *byte)
{
	return READ_ONCE(*byte);
}

/* SLUB checks the red zone when the object is really freed. */
noinline void planted_unseen_overrun(enum planted_family family)
{
	u8 *block = planted_alloc(family);

	WRITE_ONCE(block[planted_size(family)], 0);
	planted_free(block);
	planted_shrink();
}

/*
 * A free object is poisoned, and the poison is checked at the next allocation. The first bytes
 * belong to KASAN.
 */
noinline void planted_unseen_object_write(enum planted_family family)
{
	u8 *block = planted_alloc(family), *others[PLANTED_OTHERS];
	int i;

	planted_free(block);
	planted_shrink();
	WRITE_ONCE(block[planted_size(family) / 2], 0);
	for (i = 0; i < PLANTED_OTHERS; i++)
		others[i] = planted_alloc(family);
	for (i = 0; i < PLANTED_OTHERS; i++)
		planted_free(others[i]);
}

/* A free page is also poisoned. An allocation returns the page that this CPU has freed last. */
noinline void planted_unseen_page_write(enum planted_family family)
{
	unsigned long others[PLANTED_OTHERS];
	u8 *block;
	int i;

	migrate_disable();
	block = planted_alloc(family);
	planted_free(block);
	WRITE_ONCE(*block, 0);
	for (i = 0; i < PLANTED_OTHERS; i++)
		others[i] = get_zeroed_page(GFP_KERNEL);
	for (i = 0; i < PLANTED_OTHERS; i++)
		free_page(others[i]);
	migrate_enable();
}
