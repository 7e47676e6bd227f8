// SPDX-License-Identifier: GPL-2.0

#include <linux/sprintf.h>

int kalloc_helper_print_restricted(char *text, size_t size, const void *pointer);
int kalloc_helper_print_restricted(char *text, size_t size, const void *pointer)
{
	return scnprintf(text, size, "%pK", pointer);
}
