/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The grammar of commands to the workloads.
 */

#ifndef COMMANDS_H
#define COMMANDS_H

#include "hostile.h"

#define WORKLOADS 10
/* Room for a command. */
#define LINE 1024
/* What is not worth a signal. */
#define CHEAP (4ul << 20)

/* What a line means: an error, or count, size and keep; and about how many bytes it allocates. */
struct meaning {
	int error;
	bool all, frees;
	unsigned long numbers[3];
	unsigned long cost;
};

extern const char * const workloads[WORKLOADS];

/* What a workload says of itself, when it has run. */
struct report {
	char workload[16], result[16];
	unsigned long count, size, keep, allocs, frees, failures;
};

struct meaning understand(const char *line, size_t length);
/* A line, right or wrong. Returns its length. */
size_t any_command(char line[LINE]);

/* sites.c */
/* What the last command's workloads say. Returns how many they are. */
unsigned int read_reports(struct report reports[WORKLOADS]);
/*
 * Each workload has what it says it keeps, and nothing if it failed or did not run. Who asks has
 * freed all before.
 */
void check_kept(const char *what);

#endif
