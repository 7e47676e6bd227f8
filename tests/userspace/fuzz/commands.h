/* SPDX-License-Identifier: GPL-2.0-only */
/* The grammar of commands to the workloads. */

#ifndef COMMANDS_H
#define COMMANDS_H

#include "fuzz.h"

#define WORKLOADS 10
/* The size of a buffer for a command. */
#define LINE 1024
/* The bytes up to which a command is too short to be interrupted by a signal. */
#define CHEAP (4ul << 20)

/*
 * The meaning of a line: an error, or count, size and keep, and the approximate number of allocated
 * bytes.
 */
struct meaning {
	int error;
	bool all, frees;
	unsigned long numbers[3];
	unsigned long cost;
};

extern const char * const workloads[WORKLOADS];

/* The report of a workload after it has run. */
struct report {
	char workload[16], result[16];
	unsigned long count, size, keep, allocs, frees, failures;
};

struct meaning understand(const char *line, size_t length);
/* Makes a valid or invalid line. Returns its length. */
size_t any_command(char line[LINE]);

/* sites.c */
/* Reads the reports of the last command's workloads. Returns their number. */
unsigned int read_reports(struct report reports[WORKLOADS]);
/*
 * Checks that each workload has as many live blocks as it reports, and none if it failed or did not
 * run. The caller has freed all blocks before the command.
 */
void check_kept(const char *what);

#endif
