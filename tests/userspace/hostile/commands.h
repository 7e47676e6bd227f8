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
	bool all;
	unsigned long numbers[3];
	unsigned long cost;
};

extern const char * const workloads[WORKLOADS];

struct meaning understand(const char *line, size_t length);
/* A line, right or wrong. Returns its length. */
size_t any_command(char line[LINE]);

#endif
