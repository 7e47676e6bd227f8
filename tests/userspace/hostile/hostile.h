/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Hostile input to the modules: what the parts share.
 *
 * A part is tried in rounds. All that it does at random follows from the seed and the round, so
 * that what went wrong can be had again: only who comes first, of several threads or processes,
 * is up to the machine.
 */

#ifndef HOSTILE_H
#define HOSTILE_H

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

/* What was done, by all processes together. */
struct tally {
	unsigned long inputs, accepted, reads, kills, stops, stuck;
	unsigned long loads, unloads, refused_unloads;
	unsigned long refused[ERRNOS];
	/* Milliseconds from a signal to the end of its process, at most, and of what. */
	unsigned long slowest_end;
	char slowest[80];
	unsigned long wrong;
};

extern struct tally *tally;
/* Whether there is time for what takes seconds. */
extern bool patient;

/* main.c */
void wrong(const char *format, ...);
/* Counts an input, and hands its result on: -1 and errno, or success. */
long input(long result);
unsigned long now_ms(void);
void die(const char *what);

/* random.c */
void seed_random(unsigned long seed);
unsigned long any(void);
/* A number below @limit. */
unsigned long below(unsigned long limit);
bool one_in(unsigned int times);
/* Numbers at limits, and some that are not. */
unsigned long edge_number(void);
/* @size bytes that end where nothing is mapped, the same place every time: at most EDGE. */
#define EDGE (32 * PAGE)
char *edge(size_t size);
/* An address: of room, of the end of room, or of what a program has no business with. */
void *any_address(void);

/* children.c */
/* Starts a process that does this, over and over. */
pid_t start(void (*work)(void));
/* Ends it, and says how long that took. */
void end(pid_t child, int signal, const char *what);
void sleep_us(unsigned long us);
bool has_ended(pid_t child);
/* Not, if it waits for anything. */
bool is_running(pid_t child);

/* modules.c */
#define SAMPLES 4
/* Those that use kalloc.ko. */
extern const char * const samples[SAMPLES];
int load(const char *module, const char *options);
int unload(const char *module);
/* Those that are not loaded, kalloc.ko with these options. */
void load_all(const char *options);
/* All of them, as long as nobody has one in use; if nobody may, nothing must be left. */
void unload_all(bool must);
/* Nothing of any module is left. */
void check_gone(void);
void free_workloads(void);
/* Removes all keys of the store. */
void delete_keys(void);
/* Puts commands to all the modules that they take back what they hold; all must then be free. */
void check_nothing_live(void);

/* maps.c */
/* One of the devices, and something that it shows. */
int any_device(void);

/* sites.c */
struct site {
	char name[100];
	unsigned long live, allocs, frees, bytes, peak_bytes;
};

/* Nothing may be live at the sites whose names begin so. */
void check_live(const char *prefix);
/* That of a workload. */
struct site site_of(const char *workload);
/* How many blocks they have allocated so far. */
unsigned long allocated(const char *prefix);

/* The parts: a round each. */
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
