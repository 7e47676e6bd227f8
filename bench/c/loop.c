// SPDX-License-Identifier: GPL-2.0-only
/*
 * The cost of an empty loop on the C side, including the byte that it writes.
 */

#include <linux/timex.h>

#include "bench.h"

static u8 byte;

int kalloc_bench_loop(unsigned long n, unsigned long param)
{
	while (n--)
		touch(&byte);
	return 0;
}

/* Returns the processor's clock, or 0 if it has no readable clock. */
u64 kalloc_bench_cycles(void)
{
	return get_cycles();
}
