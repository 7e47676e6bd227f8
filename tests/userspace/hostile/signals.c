// SPDX-License-Identifier: GPL-2.0
/*
 * A signal to one command, and how much it does from then on: a block, whatever the time that
 * takes. How much was done, the sites tell; so a busy machine makes no difference.
 */

#include <sys/prctl.h>
#include <sys/wait.h>

#include "commands.h"

/*
 * What is allocated between two looks for a signal, at most: a batch of the cache's, or what an
 * array is grown through. A whole command allocates ten times as much at least.
 */
#define BETWEEN 100

/* How the child ends that lives on. */
enum { DONE, INTERRUPTED, REFUSED };

/* Some command went on: each may take half a minute, and there is nothing more to find. */
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
	/* A busy machine may have neither time nor memory for it. */
	_exit(errno == EINTR || errno == ENOMEM || errno == ETIMEDOUT ? INTERRUPTED : REFUSED);
}

/* Waits until the command has begun. Returns whether it has not ended since. */
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
		/* From here on it knows. */
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
	/* Most of the time is in what is freed again, or in what is to be kept. */
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
