/* SPDX-License-Identifier: GPL-2.0 */
/*
 * The table: facts, each measured and held against what the textbook says.
 */
#ifndef TABLE_H
#define TABLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>

/* Ends the program: something cannot be measured. */
void __noreturn __printf(1, 2) fail(const char *format, ...);

/*
 * Notes a fact. Without a @claim (NULL) there is no verdict; if @measured is not
 * what is claimed, the text is outdated, and @why says how it is.
 */
void fact(const char *api, const char *property, const char *measured,
	  const char *claim, const char *why);

/* The same for numbers; no claim is made about them. */
void fact_number(const char *api, const char *property, unsigned long measured);

/*
 * Measures in a process of its own, so that limits and a heap that was made a mess
 * of concern nobody else. All facts of @measure are of @space.
 */
void measure_in_child(const char *space, void (*measure)(void));

/* Takes the facts of a file of the same format. */
void append_file(const char *path);

/* Prints all facts, in columns. */
void print_table(void);

static inline const char *yes_no(bool yes)
{
	return yes ? "yes" : "no";
}

/* What is measured, a file for each. */
void measure_malloc(void);
void measure_alloca(void);
void measure_mmap(void);
void measure_brk(void);
void measure_mapped(void);

#define MAP_DEVICE "/dev/kalloc_map"

#endif
