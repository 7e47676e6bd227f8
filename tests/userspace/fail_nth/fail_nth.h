/* SPDX-License-Identifier: GPL-2.0-only */
/* System calls under fault injection: declarations that the files share. */

#ifndef KALLOC_FAULTS_H
#define KALLOC_FAULTS_H

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define DEBUG "/sys/kernel/debug/kalloc/"

/* Properties of some calls. */
enum special {
	NOTHING,
	/* Reads the same text every time. */
	SAME,
	/* Makes allocations fail by itself. */
	PROBES,
};

/* A kind of call. */
struct kind {
	const char *name;
	int (*call)(const char *argument);
	const char *argument;
	/* The functions that prepare a call, and that undo one that has succeeded. */
	void (*before)(const char *argument);
	void (*after)(const char *argument);
	/* The prefix of the names of the sites concerned. */
	const char *sites;
	enum special special;
};

/* The text that was read. */
struct text {
	char bytes[1 << 17];
	size_t length;
};

/* The sums of the counters of some sites. */
struct counts {
	unsigned long sites, live, allocs, frees, failures, others;
};

/* main.c */
void say(const char *what, const struct kind *kind, unsigned int nth, long number);
void die(const char *what);

/* calls.c: each function returns 0, or an error as a negative number. */
extern struct text last_read;
int read_all(const char *path);
int write_all(const char *path, const char *text);
int exercise(const char *command);
int renew(const char *text);
/* Maps each block of the device, and reads each of its pages. */
int map(const char *path);
int set(const char *key);
int set_and_forget(const char *key);
int get(const char *key);
/* Makes an open file show a value, reads it and maps it. */
int show(const char *key);
int load(const char *module);
int unload(const char *module);
/* Removes a key, which must succeed. */
void forget(const char *key);
void must_load(const char *module);
void must_unload(const char *module);

/* left.c */
struct counts count(const char *prefix);
void check_module(const struct kind *kind, unsigned int nth, bool must_be_there);
void check_counts(const struct kind *kind, unsigned int nth, int error, struct counts before);

#endif
