// SPDX-License-Identifier: GPL-2.0
/*
 * What a loop of the C side costs by itself, with the byte that it writes.
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

/* The processor's clock; 0 where it has none that can be read. */
u64 kalloc_bench_cycles(void)
{
	return get_cycles();
}
