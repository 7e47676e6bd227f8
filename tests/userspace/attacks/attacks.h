/* SPDX-License-Identifier: GPL-2.0-only */
/* Attacks by user programs: declarations that the files share. */

#ifndef ATTACKS_H
#define ATTACKS_H

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <stdnoreturn.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <sys/wait.h>
#include <unistd.h>

#define NOBODY 65534

/* The time in ms within which a process must end after SIGKILL, on a busy machine. */
#define PATIENCE 5000

/* A process survives SIGKILL: the guest is unusable. */
#define STUCK 125
/* A process did not end by itself. */
#define LATE 124
/* The kernel lacks an option that the attack needs. */
#define LACKING 77

/* main.c */

/* Prints the reason why an attack succeeded, and exits. */
noreturn void got_through(const char *why, ...);
noreturn void die(const char *call);
/* Waits for a process. Returns whether it ended. */
bool ends(pid_t process, int ms);
/* Kills a process, which must then end. */
void must_die(pid_t process, const char *name);
void show_stack(pid_t process);
void become_nobody(void);
int opened(const char *path, int flags);

/* Commands of the program, each with its own arguments. */
int limit(char **arguments);
int killed(char **arguments);
int interrupted(char **arguments);
int refused(char **arguments);
int pieces(char **arguments);
int shared(char **arguments);
int stuck(char **arguments);
int opener(char **arguments);
int frames(char **arguments);
int executable(char **arguments);
int charged(char **arguments);

#endif
