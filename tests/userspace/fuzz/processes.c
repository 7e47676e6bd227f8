// SPDX-License-Identifier: GPL-2.0-only
/* Processes that are killed in the middle of their work. */

#include <sys/prctl.h>
#include <sys/wait.h>
#include <time.h>

#include "fuzz.h"

/*
 * The time in ms within which a process ends on the slowest machine. A command may take three times
 * as long.
 */
#define LONGEST_END 10000

pid_t start(void (*work)(void))
{
	unsigned long seed = any();
	pid_t child = fork();

	if (child < 0)
		die("fork");
	if (!child) {
		/* The child is killed if the parent exits. */
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		if (nice(10) < 0)
			die("nice");
		seed_random(seed);
		for (;;)
			work();
	}
	return child;
}

void end(pid_t child, int signal, const char *what)
{
	unsigned long start = now_ms(), took;
	int status;

	kill(child, signal);
	if (waitpid(child, &status, 0) != child)
		die("wait");
	took = now_ms() - start;
	__atomic_add_fetch(&tally->kills, 1, __ATOMIC_RELAXED);
	if (patient && took > 1000)
		fprintf(stderr, "    %s: %lu ms until signal %d had ended it\n", what, took,
			signal);
	if (took > tally->slowest_end) {
		tally->slowest_end = took;
		snprintf(tally->slowest, sizeof(tally->slowest), "%s", what);
		for (char *at = tally->slowest; *at; at++)
			if (*at == ' ' || *at == '\n')
				*at = '_';
	}
	if (took > LONGEST_END)
		wrong("%s: %lu ms until signal %d had ended it", what, took, signal);
	/* The child may exit by itself only if it found an error. */
	if (!WIFSIGNALED(status) || WTERMSIG(status) != signal)
		wrong("%s: ended with status %#x and not by signal %d", what, status, signal);
}

bool has_ended(pid_t child)
{
	siginfo_t info = { 0 };

	return !waitid(P_PID, child, &info, WEXITED | WNOHANG | WNOWAIT) && info.si_pid;
}

bool is_running(pid_t child)
{
	char path[40], state = 'R';
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/stat", child);
	file = fopen(path, "r");
	if (!file || fscanf(file, "%*d %*s %c", &state) != 1)
		wrong("%s: %s", path, strerror(errno));
	if (file)
		fclose(file);
	return state == 'R';
}

void sleep_us(unsigned long us)
{
	struct timespec time = { us / 1000000, us % 1000000 * 1000 };

	nanosleep(&time, NULL);
}
