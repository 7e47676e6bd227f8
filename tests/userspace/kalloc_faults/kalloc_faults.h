/* SPDX-License-Identifier: GPL-2.0 */
/*
 * Calls that are refused memory: what the files share.
 */

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

/* What some calls do. */
enum special {
	NOTHING,
	/* Read the same text every time. */
	SAME,
	/* Have allocations fail by themselves. */
	PROBES,
};

/* A kind of call. */
struct kind {
	const char *name;
	int (*call)(const char *argument);
	const char *argument;
	/* What makes a call possible, and what undoes one that has succeeded. */
	void (*before)(const char *argument);
	void (*after)(const char *argument);
	/* What the names of the sites concerned begin with. */
	const char *sites;
	enum special special;
};

/* What was read. */
struct text {
	char bytes[1 << 17];
	size_t length;
};

/* What is counted at some sites, all together. */
struct counts {
	unsigned long sites, live, allocs, frees, failures, others;
};

/* main.c */
void say(const char *what, const struct kind *kind, unsigned int nth, long number);
void die(const char *what);

/* calls.c: each returns 0, or an error as a negative number. */
extern struct text last_read;
int read_all(const char *path);
int write_all(const char *path, const char *text);
int exercise(const char *command);
int renew(const char *text);
/* Maps each block of the device, and looks at each of its pages. */
int map(const char *path);
int set(const char *key);
int set_and_forget(const char *key);
int get(const char *key);
/* Has an open file show a value, reads it and maps it. */
int show(const char *key);
int load(const char *module);
int unload(const char *module);
/* What must succeed. */
void forget(const char *key);
void must_load(const char *module);
void must_unload(const char *module);

/* left.c */
struct counts count(const char *prefix);
void check_module(const struct kind *kind, unsigned int nth, bool must_be_there);
void check_counts(const struct kind *kind, unsigned int nth, int error, struct counts before);

#endif
