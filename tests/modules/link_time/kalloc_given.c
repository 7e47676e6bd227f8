// SPDX-License-Identifier: GPL-2.0-only

/* Gives a block to kalloc_resizer, and fails to load while that module resizes it. */

#include <linux/gfp.h>
#include <linux/module.h>

#include "kalloc_resizer.h"

static int __init kalloc_given_init(void)
{
	void *block = __wrap_rust_helper_kvrealloc_node_align(NULL, 100, 8, GFP_KERNEL,
							      NUMA_NO_NODE);

	if (!block)
		return -ENOMEM;
	kalloc_resizer_take(block);
	return -ENODEV;
}
module_init(kalloc_given_init);

MODULE_LICENSE("GPL");
MODULE_DESCRIPTION("Gives a block to another module and does not load");
