// SPDX-License-Identifier: GPL-2.0-only
/*
 * Collects facts from the child processes that measure them, and prints them.
 */

#include "table.h"

#include <errno.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#define HEADER "# space api property measured claim verdict"
#define COLUMNS 5

/* Five tokens and a verdict, which may contain spaces. */
struct row {
	char *column[COLUMNS];
	char *verdict;
};

static struct row *rows;
static size_t count;

/* The destination and the space of the facts, in a child process. */
static FILE *facts;
static const char *space;

void fail(const char *format, ...)
{
	va_list args;

	fflush(stdout);
	fputs("kalloc-table: ", stderr);
	va_start(args, format);
	vfprintf(stderr, format, args);
	va_end(args);
	fputc('\n', stderr);
	exit(1);
}

void fact(const char *api, const char *property, const char *measured,
	  const char *claim, const char *why)
{
	fprintf(facts, "%s %s %s %s %s ", space, api, property, measured, claim ? claim : "-");
	if (!claim)
		fputs("-\n", facts);
	else if (!strcmp(measured, claim))
		fputs("holds\n", facts);
	else
		fprintf(facts, "outdated: %s\n", why);
}

void fact_number(const char *api, const char *property, unsigned long measured)
{
	char number[24];

	snprintf(number, sizeof(number), "%lu", measured);
	fact(api, property, number, NULL, NULL);
}

/* Splits a line in place; the row owns its memory. */
static void add_row(char *line, const char *where)
{
	struct row row;
	char *rest = line;

	for (int i = 0; i < COLUMNS; i++) {
		rest += strspn(rest, " ");
		row.column[i] = rest;
		rest += strcspn(rest, " ");
		if (!*rest)
			fail("%s: not a fact: %s", where, line);
		*rest++ = '\0';
	}
	row.verdict = rest + strspn(rest, " ");
	rows = realloc(rows, (count + 1) * sizeof(*rows));
	if (!rows)
		fail("no memory");
	rows[count++] = row;
}

static void read_rows(FILE *file, const char *where, bool header)
{
	char *line = NULL;
	size_t size = 0;

	while (getline(&line, &size, file) > 0) {
		line[strcspn(line, "\n")] = '\0';
		if (header) {
			char words[sizeof(HEADER)] = "";
			size_t length = 0;

			/* Columns may be padded. */
			for (char *word = strtok(line, " "); word; word = strtok(NULL, " "))
				if (length < sizeof(words))
					length += snprintf(words + length, sizeof(words) - length,
							   "%s%s", length ? " " : "", word);
			if (strcmp(words, HEADER))
				fail("%s: does not begin with \"%s\"", where, HEADER);
			header = false;
			continue;
		}
		add_row(line, where);
		line = NULL;
		size = 0;
	}
	free(line);
	if (ferror(file))
		fail("%s: %s", where, strerror(errno));
	if (header)
		fail("%s: is empty", where);
}

void measure_in_child(const char *of, void (*measure)(void))
{
	int ends[2], status;
	FILE *from;
	pid_t child;

	if (pipe(ends))
		fail("pipe: %s", strerror(errno));
	child = fork();
	if (child < 0)
		fail("fork: %s", strerror(errno));
	if (!child) {
		close(ends[0]);
		facts = fdopen(ends[1], "w");
		if (!facts)
			fail("fdopen: %s", strerror(errno));
		space = of;
		measure();
		exit(fclose(facts) ? 1 : 0);
	}
	close(ends[1]);
	from = fdopen(ends[0], "r");
	if (!from)
		fail("fdopen: %s", strerror(errno));
	read_rows(from, of, false);
	fclose(from);
	if (waitpid(child, &status, 0) != child)
		fail("waitpid: %s", strerror(errno));
	if (WIFSIGNALED(status))
		fail("measuring the %s half: %s", of, strsignal(WTERMSIG(status)));
	/* The child has printed the reason. */
	if (WEXITSTATUS(status))
		exit(1);
}

void append_file(const char *path)
{
	FILE *file = fopen(path, "r");

	if (!file) {
		if (errno == ENOENT)
			return;
		fail("%s: %s", path, strerror(errno));
	}
	read_rows(file, path, true);
	fclose(file);
}

void print_table(void)
{
	static const char * const titles[COLUMNS] = {
		"# space", "api", "property", "measured", "claim",
	};
	int widths[COLUMNS];

	for (int i = 0; i < COLUMNS; i++) {
		widths[i] = strlen(titles[i]);
		for (size_t at = 0; at < count; at++) {
			int width = strlen(rows[at].column[i]);

			if (width > widths[i])
				widths[i] = width;
		}
		printf("%-*s ", widths[i], titles[i]);
	}
	puts("verdict");
	for (size_t at = 0; at < count; at++) {
		for (int i = 0; i < COLUMNS; i++)
			printf("%-*s ", widths[i], rows[at].column[i]);
		puts(rows[at].verdict);
	}
}
