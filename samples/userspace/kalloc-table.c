// SPDX-License-Identifier: GPL-2.0
/*
 * kalloc-table: how the allocators differ, measured on the machine that it runs on.
 *
 * Prints the user half of the table; with kalloc_map.ko loaded, what user space sees
 * of the kernel's memory; and the kernel half, if there is a file with it.
 */

#include "memory.h"
#include "table.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#define KERNEL_HALF "/sys/kernel/debug/kalloc/compare"

int main(int argc, char **argv)
{
	(void)argv;
	if (argc > 1) {
		fputs("usage: kalloc-table\n", stderr);
		return 2;
	}
	if (geteuid())
		fail("page frame numbers are root's: run this as root");
	/* Fails if the kernel does not tell them. */
	if (!frame_of(&argc))
		fail("/proc/self/pagemap has nothing about the stack");
	measure_in_child("user", measure_malloc);
	measure_in_child("user", measure_alloca);
	measure_in_child("user", measure_mmap);
	measure_in_child("user", measure_brk);
	if (!access(MAP_DEVICE, F_OK))
		measure_in_child("mapped", measure_mapped);
	append_file(KERNEL_HALF);
	print_table();
	if (fflush(stdout) || ferror(stdout))
		fail("standard output: %s", strerror(errno));
	return 0;
}
