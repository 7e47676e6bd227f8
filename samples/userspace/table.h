/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The table of facts, each measured and compared with the textbook's claim.
 */
#ifndef TABLE_H
#define TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

/* Ends the program, because something cannot be measured. */
void __noreturn __printf(1, 2) fail(const char *format, ...);

/*
 * Adds a fact. Without a @claim (NULL) there is no verdict. If @measured
 * differs from the claim, the claim is outdated, and @why explains the
 * difference.
 */
void fact(const char *api, const char *property, const char *measured,
	  const char *claim, const char *why);

/* Adds a fact with a number, without a claim. */
void fact_number(const char *api, const char *property, unsigned long measured);

/*
 * Measures in a child process, so that its limits and the state of its heap do
 * not affect other measurements. All facts of @measure belong to @space.
 */
void measure_in_child(const char *space, void (*measure)(void));

/* Adds the facts of a file in the same format. */
void append_file(const char *path);

/* Prints all facts in columns. */
void print_table(void);

static inline const char *yes_no(bool yes)
{
	return yes ? "yes" : "no";
}

/* The measurements, with a file for each. */
void measure_malloc(void);
void measure_alloca(void);
void measure_mmap(void);
void measure_brk(void);
void measure_mapped(void);

#define MAP_DEVICE "/dev/kalloc_map"

#endif
