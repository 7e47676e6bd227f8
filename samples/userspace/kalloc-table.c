// SPDX-License-Identifier: GPL-2.0-only
/*
 * kalloc-table: measures how the allocators differ on this machine.
 *
 * Prints the user half of the table. With kalloc_map.ko loaded, it adds the
 * mapped memory of the kernel, and the kernel half if its file exists.
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
		fail("no access to page frame numbers; run this as root");
	/* Fails if the kernel does not expose page frame numbers. */
	if (!frame_of(&argc))
		fail("/proc/self/pagemap: no page frame for the stack");
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
