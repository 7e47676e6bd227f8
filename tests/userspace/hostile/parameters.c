// SPDX-License-Identifier: GPL-2.0
/*
 * Modules that are loaded with parameters out of range, or that are none. They load, or do not;
 * what does not load leaves nothing.
 */

#include "hostile.h"

static const char * const options[] = {
	"count=0", "count=100001", "count=-1", "count=4294967296", "count=18446744073709551616",
	"count=", "count", "count=1 count=2 count=0", "size=0", "size=4194305",
	"size=4294967295 keep=4294967295", "keep=1001", "size=4194304 keep=1000",
	"count=100000 size=4194304", "workloads=-1", "workloads=4294967296", "count=1e3",
	"count=\xd9\xa1", "size=\xff", "keep=\" 1\"", "workloads=0x", "count=0x10 keep=0",
	"workloads=0 count=1", "workloads=4294967295 count=1 keep=0", "count=+5 keep=1",
	"count=010 keep=0", "\"count=2\" keep=0",
};

void parameters(void)
{
	const char *chosen = options[below(NUMBER(options))];
	/* The kernel knows no longer ones. */
	static char text[501];
	int error = unload("kalloc_exercise");

	if (error)
		wrong("kalloc_exercise cannot be unloaded: %s", strerror(-error));
	if (one_in(20)) {
		memset(text, 'x', 500);
		memcpy(text, "count=", 6);
		chosen = text;
	}
	error = load("kalloc_exercise", chosen);
	errno = -error;
	input(error ? -1 : 0);
	if (error && !access("/sys/module/kalloc_exercise", F_OK))
		wrong("'%s' left the module", chosen);
	if (error && !access(EXERCISE, F_OK))
		wrong("'%s' left the file", chosen);
	if (error)
		error = load("kalloc_exercise", "count=1 keep=1");
	if (error)
		wrong("kalloc_exercise cannot be loaded: %s", strerror(-error));
}
