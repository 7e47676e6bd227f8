/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The fuzzer of the modules: declarations that the parts share.
 *
 * Each part runs in rounds. All random choices derive from the seed and the round, so a failure can
 * be reproduced. Only the order of several threads or processes depends on the machine.
 */

#ifndef FUZZ_H
#define FUZZ_H

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/types.h>
#include <unistd.h>

#define PAGE 4096ul
#define NUMBER(array) (sizeof(array) / sizeof(*(array)))
#define DEBUG "/sys/kernel/debug/kalloc/"
#define EXERCISE DEBUG "exercise"
#define COMPARE DEBUG "compare"
#define ERRNOS 134

/* Counters, shared by all processes. */
struct tally {
	unsigned long inputs, accepted, reads, kills, stops, stuck;
	unsigned long loads, unloads, refused_unloads;
	unsigned long refused[ERRNOS];
	/*
	 * The longest time in ms from a signal to the end of its process, and the name of that
	 * process.
	 */
	unsigned long slowest_end;
	char slowest[80];
	unsigned long wrong;
};

extern struct tally *tally;
/* Whether checks that take seconds are run. */
extern bool patient;

/* main.c */
void wrong(const char *format, ...);
/* Counts an input and returns its result: -1 and errno, or success. */
long input(long result);
unsigned long now_ms(void);
void die(const char *what);

/* random.c */
void seed_random(unsigned long seed);
unsigned long any(void);
/* Returns a number below @limit. */
unsigned long below(unsigned long limit);
bool one_in(unsigned int times);
/* Returns numbers at limits, and others. */
unsigned long edge_number(void);
/*
 * Returns @size bytes, at most EDGE, that end where nothing is mapped. The end is always at the
 * same address.
 */
#define EDGE (32 * PAGE)
char *edge(size_t size);
/* Returns an address: in a buffer, at its end, or one that user space must not use. */
void *any_address(void);

/* processes.c */
/* Starts a process that runs @work in a loop. */
pid_t start(void (*work)(void));
/* Ends a process, and records the time that this took. */
void end(pid_t child, int signal, const char *what);
void sleep_us(unsigned long us);
bool has_ended(pid_t child);
/* Returns whether a process is running; a waiting process is not. */
bool is_running(pid_t child);

/* modules.c */
#define SAMPLES 4
/* The modules that use kalloc.ko. */
extern const char * const samples[SAMPLES];
int load(const char *module, const char *options);
int unload(const char *module);
/* Loads all modules that are not loaded, kalloc.ko with these options. */
void load_all(const char *options);
/*
 * Unloads all modules that are not in use. With @must, none may be in use, and nothing may remain.
 */
void unload_all(bool must);
/* Checks that nothing of any module remains. */
void check_gone(void);
void free_workloads(void);
/* Removes all keys of the store. */
void delete_keys(void);
/* Commands all modules to free the memory that they hold. Then nothing may be live. */
void check_nothing_live(void);

/* maps.c */
/* Opens one of the devices, and a value or block in it. */
int any_device(void);

/* sites.c */
struct site {
	char name[100];
	unsigned long live, allocs, frees, bytes, peak_bytes;
};

/* Checks that nothing is live at the sites whose names have this prefix. */
void check_live(const char *prefix);
/* Returns the site of a workload. */
struct site site_of(const char *workload);
/* Returns the number of blocks allocated so far at the sites with this prefix. */
unsigned long allocated(const char *prefix);

/* The parts, as functions that run one round. */
void commands(void);
void kills(void);
void largest(void);
void limits(void);
void longest(void);
void maps(void);
void model(void);
void modes(void);
void parameters(void);
void races(void);
void reads(void);
void requests(void);
void signals(void);
void strangers(void);
void stuck(void);

#endif
