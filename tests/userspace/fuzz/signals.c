// SPDX-License-Identifier: GPL-2.0-only
/*
 * The amount of work that a command does after a signal: at most one block, however long that
 * takes. The counters of the sites measure the work, so a busy machine makes no difference.
 */

#include <sys/prctl.h>
#include <sys/wait.h>

#include "commands.h"

/*
 * The most allocations between two checks for a signal: a batch of the cache, or the steps in which
 * an array grows. A whole command makes at least ten times as many.
 */
#define BETWEEN 100

/* The ways in which the surviving child ends. */
enum { DONE, INTERRUPTED, REFUSED };

/*
 * A command ignored its signal. Each such command may take half a minute, and the error is already
 * found.
 */
static bool deaf;

static void nothing(int signal)
{
	(void)signal;
}

static pid_t start_once(const char *command, bool handled)
{
	struct sigaction action = { .sa_handler = handled ? nothing : SIG_DFL };
	pid_t child = fork();
	int file;

	if (child < 0)
		die("fork");
	if (child)
		return child;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	sigaction(SIGINT, &action, NULL);
	file = open(EXERCISE, O_WRONLY);
	if (input(write(file, command, strlen(command))) >= 0)
		_exit(DONE);
	/* A busy machine may lack the time or the memory for it. */
	_exit(errno == EINTR || errno == ENOMEM || errno == ETIMEDOUT ? INTERRUPTED : REFUSED);
}

/* Waits until the command has begun. Returns whether it is still running. */
static bool has_begun(pid_t child, unsigned long before, int *status)
{
	do {
		if (waitpid(child, status, WNOHANG))
			return false;
	} while (allocated("exercise_") == before);
	return true;
}

static void interrupt(const char *command)
{
	static const int signals[] = { SIGKILL, SIGTERM, SIGINT };
	int signal = signals[below(NUMBER(signals))], status;
	unsigned long before = allocated("exercise_"), then, after;
	bool handled = one_in(2) && signal == SIGINT;
	pid_t child = start_once(command, handled);

	if (has_begun(child, before, &status)) {
		kill(child, signal);
		/* From here on the signal is pending. */
		then = allocated("exercise_");
		if (waitpid(child, &status, 0) != child)
			die("wait");
		after = allocated("exercise_");
		__atomic_add_fetch(&tally->kills, 1, __ATOMIC_RELAXED);
		deaf = after - then > BETWEEN;
		if (deaf)
			wrong("%s: allocates %lu blocks more after signal %d", command,
			      after - then, signal);
	}
	if (WIFEXITED(status) && WEXITSTATUS(status) == REFUSED)
		wrong("%s: refused", command);
	check_kept(command);
}

void signals(void)
{
	/* Most of the time is spent in freeing memory, or in allocating memory to keep. */
	static const char * const most[] = {
		"count=100000 size=1", "count=16384 size=65536", "count=1 size=16384 keep=1000",
		"count=1 size=16384 keep=1000",
	};
	char command[LINE];

	for (int i = 0; i < 3 && !deaf; i++) {
		free_workloads();
		snprintf(command, sizeof(command), "%s %s",
			 one_in(8) ? "all" : workloads[below(WORKLOADS)],
			 most[below(NUMBER(most))]);
		interrupt(command);
	}
	free_workloads();
}
