// SPDX-License-Identifier: GPL-2.0-only
/*
 * The fuzzer: runs all parts for a number of rounds or seconds.
 *
 * Usage: fuzz [--seed S] [--rounds N | --seconds N] [PART...]
 *
 * Prints each error as "WRONG" and a description. At the end it prints figures, a name and a number
 * on each line. Its progress is on the standard error. The status is 1 after an error.
 */

#include <stdarg.h>
#include <sys/mman.h>
#include <time.h>

#include "fuzz.h"

struct part {
	const char *name;
	void (*round)(void);
	/* The number of rounds after which the part runs once; 0: only if it is named. */
	unsigned int every;
};

static const struct part parts[] = {
	{ "commands", commands, 1 },
	{ "requests", requests, 1 },
	{ "maps", maps, 1 },
	{ "reads", reads, 2 },
	{ "kills", kills, 2 },
	{ "parameters", parameters, 4 },
	{ "races", races, 4 },
	{ "model", model, 1 },
	{ "modes", modes, 4 },
	{ "signals", signals, 2 },
	{ "stuck", stuck, 4 },
	{ "limits", limits, 16 },
	{ "largest", largest, 0 },
	{ "longest", longest, 0 },
	{ "strangers", strangers, 0 },
};

struct tally *tally;
bool patient;
static unsigned long seed = 1, current_round;
static const char *current_part = "start";

void wrong(const char *format, ...)
{
	va_list list;
	char text[600];

	va_start(list, format);
	vsnprintf(text, sizeof(text), format, list);
	va_end(list);
	__atomic_add_fetch(&tally->wrong, 1, __ATOMIC_RELAXED);
	printf("WRONG %s (seed %lu, round %lu): %s\n", current_part, seed, current_round, text);
	fflush(stdout);
}

void die(const char *what)
{
	wrong("%s: %s", what, strerror(errno));
	_exit(99);
}

long input(long result)
{
	int error = errno;

	__atomic_add_fetch(&tally->inputs, 1, __ATOMIC_RELAXED);
	if (result >= 0)
		__atomic_add_fetch(&tally->accepted, 1, __ATOMIC_RELAXED);
	else if (error > 0 && error < ERRNOS)
		__atomic_add_fetch(tally->refused + error, 1, __ATOMIC_RELAXED);
	else
		wrong("error %d is none that programs know", error);
	errno = error;
	return result;
}

unsigned long now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000 + now.tv_nsec / 1000000;
}

static void show_figures(unsigned long ms)
{
	printf("seed %lu\nrounds %lu\nseconds %lu\n", seed, current_round, ms / 1000);
	printf("inputs %lu\naccepted %lu\n", tally->inputs, tally->accepted);
	for (int error = 0; error < ERRNOS; error++)
		if (tally->refused[error])
			printf("refused_%s %lu\n", strerrorname_np(error), tally->refused[error]);
	printf("reads %lu\nkills %lu\nstops %lu\nstuck %lu\n", tally->reads, tally->kills,
	       tally->stops, tally->stuck);
	printf("loads %lu\nunloads %lu\nunloads_refused %lu\n", tally->loads, tally->unloads,
	       tally->refused_unloads);
	printf("slowest_end_ms %lu %s\n", tally->slowest_end, tally->slowest);
	printf("wrong %lu\n", tally->wrong);
}

/* Runs a round of a part, which begins with its own random numbers. */
static void run(const struct part *part)
{
	current_part = part->name;
	seed_random(seed * 1000003 + current_round * 101 + (part - parts));
	part->round();
}

static void run_round(char **named)
{
	for (const struct part *part = parts; part < parts + NUMBER(parts); part++) {
		bool chosen = !*named && part->every &&
			      current_round % part->every == part->every - 1;

		for (char **name = named; *name; name++)
			chosen |= !strcmp(*name, part->name);
		if (chosen)
			run(part);
	}
}

int main(int argc, char **argv)
{
	unsigned long seconds = 0, rounds = 1, start = now_ms(), told = start;

	for (; argc > 2 && !strncmp(argv[1], "--", 2); argc -= 2, argv += 2) {
		unsigned long number = strtoul(argv[2], NULL, 0);

		if (!strcmp(argv[1], "--seed"))
			seed = number;
		else if (!strcmp(argv[1], "--seconds"))
			seconds = number;
		else if (!strcmp(argv[1], "--rounds"))
			rounds = number;
		else
			return 2;
	}
	/*
	 * A shell makes background programs ignore it. A child that started like that would lose a
	 * signal that arrives before it restores the default.
	 */
	signal(SIGINT, SIG_DFL);
	patient = seconds;
	tally = mmap(NULL, sizeof(*tally), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS,
		     -1, 0);
	if (tally == MAP_FAILED)
		return 99;
	for (; seconds ? now_ms() - start < seconds * 1000 : current_round < rounds;
	     current_round++) {
		run_round(argv + 1);
		if (patient && now_ms() - told > 10000) {
			told = now_ms();
			fprintf(stderr,
				"    %lu s: %lu rounds, %lu inputs, %lu reads, %lu kills, %lu wrong\n",
				(told - start) / 1000, current_round, tally->inputs, tally->reads,
				tally->kills, tally->wrong);
		}
	}
	current_part = "the end";
	if (access("/sys/module/kalloc", F_OK) == 0)
		check_nothing_live();
	show_figures(now_ms() - start);
	return tally->wrong != 0;
}
