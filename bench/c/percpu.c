// SPDX-License-Identifier: GPL-2.0-only
/*
 * Per-CPU memory.
 */

#include <linux/percpu.h>
#include <linux/slab.h>

#include "bench.h"

/* Allocates many, then frees them. */
int kalloc_bench_percpu(unsigned long n, unsigned long size)
{
	void __percpu **live = kvmalloc_array(n, sizeof(*live), GFP_KERNEL);
	unsigned long i;
	int ret = 0;

	if (!live)
		return -ENOMEM;
	for (i = 0; i < n; i++) {
		live[i] = __alloc_percpu(size, sizeof(u64));
		if (!live[i]) {
			ret = -ENOMEM;
			break;
		}
	}
	while (i--)
		free_percpu(live[i]);
	kvfree(live);
	return ret;
}
