// SPDX-License-Identifier: GPL-2.0-only
/*
 * A turn passes to the next process if the process that got it is interrupted by a signal before it
 * takes it.
 *
 * One process runs a command, and two wait for their turn. The first of them is woken on a CPU that
 * another process keeps busy, gets a signal before it runs, and leaves. The second one must then
 * get its turn. The status is 0 if it does. The test needs two CPUs.
 */

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define EXERCISE "/sys/kernel/debug/kalloc/exercise"
#define LONG "all count=16384 size=65536"
#define SHORT "kbox count=1"
#define ROUNDS 10
#define SECONDS 20

static void die(const char *what)
{
	perror(what);
	exit(99);
}

static void run_on(int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	if (sched_setaffinity(0, sizeof(set), &set))
		die("sched_setaffinity");
}

static void nothing(int signal)
{
	(void)signal;
}

/* Starts a process that writes a command. Its status is 1 if the command was interrupted. */
static pid_t start(const char *command, int cpu)
{
	struct sigaction action = { .sa_handler = nothing };
	pid_t child = fork();
	int file;

	if (child)
		return child;
	run_on(cpu);
	/* Interrupted calls are not restarted. */
	sigaction(SIGTERM, &action, NULL);
	file = open(EXERCISE, O_WRONLY);
	if (file < 0)
		die(EXERCISE);
	_exit(write(file, command, strlen(command)) < 0);
}

static pid_t start_hog(int cpu)
{
	struct sched_param param = { .sched_priority = 10 };
	pid_t child = fork();

	if (child)
		return child;
	run_on(cpu);
	if (sched_setscheduler(0, SCHED_FIFO, &param))
		die("sched_setscheduler");
	for (;;)
		;
}

static double now(void)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	return time.tv_sec + time.tv_nsec / 1e9;
}

static void pause_ms(long ms)
{
	struct timespec time = { .tv_nsec = ms * 1000000 };

	nanosleep(&time, NULL);
}

static char state(pid_t child)
{
	char path[40], found = '?';
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/stat", child);
	file = fopen(path, "r");
	if (!file || fscanf(file, "%*d %*s %c", &found) != 1)
		die(path);
	fclose(file);
	return found;
}

/* Waits until a process sleeps. Returns false if it has ended, or runs for too long. */
static bool sleeps(pid_t child)
{
	double until = now() + SECONDS;

	while (state(child) != 'S') {
		if (now() > until || state(child) == 'Z')
			return false;
		pause_ms(1);
	}
	return true;
}

/* Returns the exit status of a process, or -1 if it is running. */
static int ended(pid_t child)
{
	double until = now() + SECONDS;
	int status;

	while (!waitpid(child, &status, WNOHANG)) {
		if (now() > until)
			return -1;
		pause_ms(1);
	}
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128;
}

static void write_to(const char *path, const char *text)
{
	int file = open(path, O_WRONLY);

	/* Older kernels have no such file. */
	if (file >= 0 && write(file, text, strlen(text)) < 0)
		perror(path);
	if (file >= 0)
		close(file);
}

int main(void)
{
	int passed = 0;

	/* The busy CPU is busy for the whole duration of a round. */
	write_to("/proc/sys/kernel/sched_rt_runtime_us", "-1");
	write_to("/sys/kernel/debug/sched/fair_server/cpu0/runtime", "0");
	run_on(1);
	for (int round = 0; round < ROUNDS && !passed; round++) {
		pid_t at_work = start(LONG, 1), first, second, hog;
		int first_ended, second_ended;

		pause_ms(20);
		first = start(SHORT, 0);
		if (!sleeps(first)) {
			kill(at_work, SIGKILL);
			ended(at_work);
			ended(first);
			continue;
		}
		second = start(SHORT, 1);
		if (!sleeps(second))
			die("the second process does not wait");
		hog = start_hog(0);
		/* This wakes the first process, which gets a signal before it runs. */
		kill(at_work, SIGTERM);
		ended(at_work);
		kill(first, SIGTERM);
		kill(hog, SIGKILL);
		ended(hog);
		first_ended = ended(first);
		second_ended = ended(second);
		if (second_ended) {
			printf("WRONG: first %d, second %d\n", first_ended, second_ended);
			return 1;
		}
		/* Otherwise the first process had already run. */
		passed += first_ended == 1;
	}
	printf("passed on %d\n", passed);
	return !passed;
}
