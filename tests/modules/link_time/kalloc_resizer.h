/* SPDX-License-Identifier: GPL-2.0-only */

/* Functions that the modules of this directory share. */

#include <linux/types.h>

void *__wrap_rust_helper_kvrealloc_node_align(const void *p, size_t size, unsigned long align,
					      gfp_t gfp, int node);
void kalloc_resizer_take(void *given);
