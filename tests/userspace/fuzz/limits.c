// SPDX-License-Identifier: GPL-2.0-only
/*
 * The limits of live, kept and allocated memory of a command, as in
 * Documentation/explanation/security.rst. Most of them take effect on a machine that is slow or has
 * little memory.
 */

#include "commands.h"

#define LIVE (16ul << 20)
/* The bytes of a block: no owner type takes more memory for this size. */
#define BLOCK 65536ul
/* The time in ms after which a command must have ended. */
#define LONGEST 30000
#define LATE 5000

static unsigned long free_memory(void)
{
	FILE *file = fopen("/proc/meminfo", "r");
	unsigned long kib;

	if (!file || fscanf(file, "MemTotal: %*u kB MemFree: %lu kB", &kib) != 1)
		die("/proc/meminfo");
	fclose(file);
	return kib << 10;
}

/* Runs the command. Returns the error. */
static int run(const char *command)
{
	int file = open(EXERCISE, O_WRONLY);
	long result = input(write(file, command, strlen(command)));
	int error = result < 0 ? errno : 0;

	close(file);
	return error;
}

/* Runs each workload with twice as many live blocks as permitted. */
static void at_a_time(void)
{
	unsigned long seen = 0;

	for (int i = 0; i < WORKLOADS; i++) {
		unsigned long limit, most;
		char command[LINE];
		int error;

		/* High watermarks are kept since the module was loaded. */
		if (unload("kalloc_exercise") || load("kalloc_exercise", "workloads=0"))
			wrong("kalloc_exercise cannot be loaded again");
		limit = free_memory() / 8 < LIVE ? free_memory() / 8 : LIVE;
		snprintf(command, sizeof(command), "%s count=%lu size=%lu", workloads[i],
			 2 * limit / BLOCK, BLOCK);
		error = run(command);
		if (error)
			wrong("%s: %s", command, strerror(error));
		most = site_of(workloads[i]).peak_bytes;
		seen += most;
		/*
		 * The amount of free memory varies a little, and a block that grows exists twice.
		 */
		if (most > limit + limit / 4 + 4 * BLOCK)
			wrong("%s: has %lu bytes live, and may have %lu", command, most, limit);
	}
	if (!seen)
		wrong("nothing was seen to be live");
}

/* Each workload keeps up to half of the memory that the previous ones have left. */
static void left_live(void)
{
	struct report reports[WORKLOADS];
	unsigned long left;
	unsigned int number;

	free_workloads();
	left = free_memory();
	run("all count=1 size=16384 keep=1000");
	number = read_reports(reports);
	for (unsigned int i = 0; i < number; i++) {
		unsigned long kept = site_of(reports[i].workload).bytes;

		if (kept > left / 2 + left / 16)
			wrong("%s keeps %lu bytes, and %lu were free", reports[i].workload, kept,
			      left);
		left -= kept < left ? kept : left;
	}
	free_workloads();
}

void limits(void)
{
	unload_all(true);
	load_all("sample_ms=5");
	at_a_time();
	left_live();
}

/* Runs a command that takes longer than its limit on this machine. */
void longest(void)
{
	unsigned long start, took;
	int error;

	free_workloads();
	start = now_ms();
	error = run("all count=16384 size=65536");
	took = now_ms() - start;
	if (error != ETIMEDOUT || took < LONGEST || took > LONGEST + LATE)
		wrong("ended after %lu ms: %s", took, strerror(error));
	check_live("exercise_");
}
