// SPDX-License-Identifier: GPL-2.0-only
/*
 * Signals in the middle of the largest valid commands, of reading measurements, and of waiting for
 * other processes that do so.
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

static void read_all(const char *path)
{
	char text[PAGE + 1];
	int file = open(path, O_RDONLY);
	long got;

	while ((got = read(file, text, PAGE)) > 0) {
		text[got] = '\0';
		/* A process that was stopped and continued must not see this line. */
		if (strstr(text, "not measured: EINTR"))
			wrong("%s: %s", path, text);
	}
	close(file);
}

static void read_it(void)
{
	read_all(one_in(4) ? COMPARE : EXERCISE);
}

static void write_once(void)
{
	write_it();
	_exit(0);
}

static void compare_once(void)
{
	read_all(COMPARE);
	_exit(0);
}

/* The most blocks, the largest blocks, the most bytes, and the most kept blocks. */
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
	/* A stopped and continued process must still run the command, or run it again. */
	kill(child, SIGSTOP);
	sleep_us(below(3000));
	kill(child, SIGCONT);
	__atomic_add_fetch(&tally->stops, 1, __ATOMIC_RELAXED);
}

/* A killed process that waits for another one must end at once: the other one still runs then. */
static void waits(void (*once)(void), const char *sites, const char *what)
{
	unsigned long before = allocated(sites), then;
	pid_t at_work = start(once), waiting;
	char waits_for[40];

	while (allocated(sites) == before && !has_ended(at_work))
		;
	/* A recent measurement is shown at once. */
	if (has_ended(at_work)) {
		waitpid(at_work, NULL, 0);
		return;
	}
	waiting = start(once);
	while (is_running(waiting))
		sleep_us(1000);
	snprintf(waits_for, sizeof(waits_for), "waiting for %s", what);
	then = now_ms();
	end(waiting, SIGKILL, waits_for);
	/*
	 * If the process had waited for the other one, that one would be done now and would end
	 * soon.
	 */
	sleep_us((now_ms() - then) * 250);
	end(at_work, SIGKILL, what);
}

/* A comparison that is stopped and continued gives the same result as an undisturbed one. */
static void goes_on(void)
{
	unsigned long before = allocated("compare_");
	pid_t child = start(compare_once);

	while (allocated("compare_") == before && !has_ended(child))
		;
	check_interrupted(child);
	waitpid(child, NULL, 0);
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
	/* The processes that wait are ended first, so that they need not wait for the others. */
	for (unsigned int i = NUMBER(children); i--;) {
		end(children[i], signals[below(NUMBER(signals))], i < 2 ? command : "reading");
		sleep_us(below(2000));
	}
	/* An interrupted command must have freed all of its blocks. */
	if (!keeps)
		check_live("exercise_");
	snprintf(command, sizeof(command), "all count=16384 size=65536");
	waits(write_once, "exercise_", "a command");
	waits(compare_once, "compare_", "a comparison");
	/* The check takes seconds on some kernels. */
	if (one_in(8))
		goes_on();
	check_live("compare_");
}

/*
 * Runs each of the largest commands to its end. None may run forever or use up the machine's
 * memory.
 */
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
