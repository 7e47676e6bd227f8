// SPDX-License-Identifier: GPL-2.0
/*
 * Signals in the middle: of the largest commands that are accepted, of reading what is
 * measured, and of waiting for others who do these things.
 */

#include <sys/wait.h>

#include "commands.h"

static char command[LINE];

static void write_it(void)
{
	int file = open(EXERCISE, O_WRONLY);

	input(write(file, command, strlen(command)));
	close(file);
}

static void read_it(void)
{
	char text[PAGE];
	int file = open(one_in(4) ? DEBUG "compare" : EXERCISE, O_RDONLY);

	while (read(file, text, sizeof(text)) > 0)
		;
	close(file);
}

/* The most blocks, the largest ones, the most bytes, the most that is kept. */
static void any_large(const char *workload)
{
	static const char * const most[] = {
		"count=100000 size=1 keep=1000", "count=256 size=4194304 keep=4",
		"count=100000 size=10737 keep=1000", "count=100000 size=8 keep=1000",
		"count=262 size=4097000 keep=4", "count=16384 size=65536 keep=256",
	};

	snprintf(command, sizeof(command), "%s %s", workload, most[below(NUMBER(most))]);
}

static void check_interrupted(pid_t child)
{
	/* Stopped and continued, it must still be at it, or have begun anew. */
	kill(child, SIGSTOP);
	sleep_us(below(3000));
	kill(child, SIGCONT);
	__atomic_add_fetch(&tally->stops, 1, __ATOMIC_RELAXED);
}

void kills(void)
{
	static const int signals[] = { SIGKILL, SIGKILL, SIGTERM, SIGINT, SIGALRM };
	pid_t children[3];
	bool keeps = one_in(2);

	free_workloads();
	any_large(one_in(6) ? "all" : workloads[below(WORKLOADS)]);
	if (!keeps)
		*strstr(command, "keep") = '\0';
	for (unsigned int i = 0; i < NUMBER(children); i++)
		children[i] = start(i < 2 ? write_it : read_it);
	sleep_us(below(20000));
	while (one_in(2))
		check_interrupted(children[below(NUMBER(children))]);
	/* Those who wait for others must not have to. */
	for (unsigned int i = NUMBER(children); i--;) {
		end(children[i], signals[below(NUMBER(signals))], i < 2 ? command : "reading");
		sleep_us(below(2000));
	}
	/* What was interrupted has freed all, by itself. */
	if (!keeps)
		check_live("exercise_");
}

/* Each of the largest commands to its end: none may take for ever, or the machine's memory. */
void largest(void)
{
	static unsigned int next;
	unsigned long start = now_ms(), took;

	any_large(next == WORKLOADS ? "all" : workloads[next]);
	next = (next + 1) % (WORKLOADS + 1);
	write_it();
	took = now_ms() - start;
	if (patient)
		fprintf(stderr, "    %s: %lu ms\n", command, took);
	if (took > 60000)
		wrong("%s took %lu ms", command, took);
}
