// SPDX-License-Identifier: GPL-2.0-only
/*
 * Attacks by user programs, one for each command. The status is 0 if the kernel rejects the attack
 * or behaves as required.
 */

#include <stdarg.h>

#include "attacks.h"

static const struct {
	const char *name;
	int arguments;
	int (*run)(char **arguments);
} commands[] = {
	{ "limit", 2, limit },
	{ "killed", 3, killed },
	{ "interrupted", 1, interrupted },
	{ "refused", 1, refused },
	{ "pieces", 1, pieces },
	{ "shared", 4, shared },
	{ "stuck", 4, stuck },
	{ "opener", 1, opener },
	{ "frames", 1, frames },
	{ "executable", 1, executable },
	{ "charged", 1, charged },
};

void got_through(const char *why, ...)
{
	va_list values;

	va_start(values, why);
	vprintf(why, values);
	va_end(values);
	printf("\n");
	exit(1);
}

void die(const char *call)
{
	perror(call);
	exit(2);
}

bool ends(pid_t process, int ms)
{
	for (int waited = 0;; waited += 10) {
		if (waitpid(process, NULL, WNOHANG) == process)
			return true;
		if (waited >= ms)
			return false;
		usleep(10000);
	}
}

void show_stack(pid_t process)
{
	char path[64], text[2048];
	ssize_t length;
	int file;

	snprintf(path, sizeof(path), "/proc/%d/stack", process);
	file = open(path, O_RDONLY);
	length = file < 0 ? -1 : read(file, text, sizeof(text) - 1);
	if (length > 0)
		printf("%.*s", (int)length, text);
	if (file >= 0)
		close(file);
}

void must_die(pid_t process, const char *name)
{
	kill(process, SIGKILL);
	if (ends(process, PATIENCE))
		return;
	printf("%s: not ended %d ms after SIGKILL\n", name, PATIENCE);
	show_stack(process);
	exit(STUCK);
}

void become_nobody(void)
{
	if (setgid(NOBODY) || setuid(NOBODY))
		die("setuid");
}

int opened(const char *path, int flags)
{
	int file = open(path, flags);

	if (file < 0)
		die(path);
	return file;
}

int main(int count, char **arguments)
{
	setbuf(stdout, NULL);
	for (size_t i = 0; count > 1 && i < sizeof(commands) / sizeof(*commands); i++)
		if (!strcmp(arguments[1], commands[i].name) && count >= commands[i].arguments + 2)
			return commands[i].run(arguments + 2);
	fprintf(stderr, "usage: attacks COMMAND ARGUMENT...\n");
	return 2;
}
