// SPDX-License-Identifier: GPL-2.0-only
/*
 * Commands to the workloads: lines that follow the grammar, and lines that nearly do. Each is
 * written in all possible ways. A separate implementation of the grammar predicts the result of a
 * line.
 */

#include <ctype.h>
#include <pthread.h>
#include <sys/sendfile.h>
#include <sys/uio.h>

#include "commands.h"

const char * const workloads[WORKLOADS] = {
	"kbox", "kvec", "karray", "kvarray", "cache", "pages", "fpages", "vmap", "vbox", "varray",
};

/* The limits of the bytes that a workload may allocate in total, and have live. */
#define TOTAL (262144 * PAGE)
#define LIVE (4096 * PAGE)
#define LONGEST 256

static bool is_blank(char c)
{
	return c && strchr(" \t\n\f\r", c);
}

/* Returns whether the word is a number that fits. */
static bool number(const char *word, size_t length, unsigned long *value)
{
	if (length && *word == '+')
		word++, length--;
	*value = 0;
	for (size_t i = 0; i < length; i++)
		if (!isdigit((unsigned char)word[i]) || __builtin_mul_overflow(*value, 10, value) ||
		    __builtin_add_overflow(*value, word[i] - '0', value))
			return false;
	return length;
}

static bool is_workload(const char *word, size_t length)
{
	if (length == 3 && !memcmp(word, "all", 3))
		return true;
	for (int i = 0; i < WORKLOADS; i++)
		if (strlen(workloads[i]) == length && !memcmp(word, workloads[i], length))
			return true;
	return false;
}

struct meaning understand(const char *line, size_t length)
{
	static const char * const keys[] = { "count=", "size=", "keep=" };
	struct meaning meaning = { .numbers = { 100, 256, 0 } };
	const char *end = line + length;
	int words = 0;
	bool is_free = false;

	if (length > LONGEST) {
		meaning.error = E2BIG;
		return meaning;
	}
	meaning.error = EINVAL;
	for (;; words++) {
		const char *word;
		int key;

		while (line < end && is_blank(*line))
			line++;
		if (line == end)
			break;
		for (word = line; line < end && !is_blank(*line);)
			line++;
		if (!words) {
			is_free = line - word == 4 && !memcmp(word, "free", 4);
			if (!is_free && !is_workload(word, line - word))
				return meaning;
			meaning.all = *word == 'a';
			continue;
		}
		for (key = 0; key < 3; key++)
			if ((size_t)(line - word) > strlen(keys[key]) &&
			    !memcmp(word, keys[key], strlen(keys[key])))
				break;
		if (is_free || key == 3)
			return meaning;
		word += strlen(keys[key]);
		if (!number(word, line - word, meaning.numbers + key))
			return meaning;
	}
	unsigned long count = meaning.numbers[0], size = meaning.numbers[1];
	unsigned long keep = meaning.numbers[2];

	if (!words || !count || count > 100000 || !size || size > LIVE / 4 ||
	    count * size > TOTAL || keep > 1000 || keep * size > LIVE)
		return meaning;
	meaning.error = 0;
	meaning.frees = is_free;
	if (!is_free)
		meaning.cost = (count + keep) * (size + 2 * PAGE) * (meaning.all ? WORKLOADS : 1);
	return meaning;
}

static size_t append(char *line, size_t at, const char *text)
{
	size_t length = strlen(text);

	memcpy(line + at, text, length);
	return at + length;
}

/*
 * Makes a line that is valid, or invalid in one number only: the number is at a limit or just
 * beyond it.
 */
static size_t at_a_limit(char line[LINE])
{
	unsigned long numbers[] = { 1 + below(9), 1 + below(99), below(4) };
	unsigned long limits[][4] = {
		{ 0, 1, 100000, 100001 }, { 0, 1, LIVE / 4, LIVE / 4 + 1 }, { 0, 1000, 1001, LIVE },
	};
	size_t key = below(NUMBER(numbers));

	numbers[key] = limits[key][below(NUMBER(limits[key]))];
	return snprintf(line, LINE, "%s count=%lu size=%lu keep=%lu", workloads[below(WORKLOADS)],
			numbers[0], numbers[1], numbers[2]);
}

size_t any_command(char line[LINE])
{
	static const char * const odd[] = {
		"free", "ALL", "kbox\v", "count=", "=", "size", "keep=0x10", "size=-1", "keep=1e3",
		"\xc3\xa9", "\xff\xfe", "count=\xd9\xa3", "kb", "keep=18446744073709551616",
		"size=+8", "count==3",
		"size=00000000000000000000000000000000000008", "colour=3", "\xf0\x9f\xa6\x80",
	};
	static const char * const keys[] = { "count=", "size=", "keep=" };
	static const char * const blanks[] = { " ", "\t", "  ", "\n", "\r\n", "\f" };
	size_t at = 0, words = below(6);
	char text[30];

	if (one_in(6))
		return at_a_limit(line);
	if (one_in(30)) {
		/* Random bytes instead of the grammar. */
		for (words = below(LINE); at < words; at++)
			line[at] = any();
		return words;
	}
	at = append(line, at, one_in(8) ? odd[below(NUMBER(odd))] : one_in(6) ? "all" :
		    workloads[below(WORKLOADS)]);
	while (words--) {
		at = append(line, at, blanks[below(NUMBER(blanks))]);
		if (one_in(12)) {
			at = append(line, at, odd[below(NUMBER(odd))]);
			continue;
		}
		at = append(line, at, keys[below(3)]);
		snprintf(text, sizeof(text), one_in(20) ? "%ld" : "%lu",
			 one_in(2) ? below(40) : edge_number());
		at = append(line, at, text);
	}
	if (one_in(3))
		line[at++] = '\n';
	if (one_in(25))
		line[below(at)] = any();
	if (one_in(40))
		/* The longest valid length, and just beyond it. */
		for (words = LONGEST - 1 + below(3); at < words; at++)
			line[at] = ' ';
	return at;
}

/* Checks the parameters and results that the workloads report. */
static void check_reports(const char *line, size_t length, const struct meaning *meaning)
{
	struct report reports[WORKLOADS];
	unsigned int number = read_reports(reports);
	unsigned int wanted = meaning->frees ? 0 : meaning->all ? WORKLOADS : 1;

	if (number != wanted)
		wrong("'%.*s': %u workloads ran, and not %u", (int)length, line, number, wanted);
	for (unsigned int i = 0; i < number; i++) {
		struct report *report = reports + i;

		if (report->count != meaning->numbers[0] || report->size != meaning->numbers[1] ||
		    report->keep != meaning->numbers[2] ||
		    report->allocs < report->count + report->keep || strcmp(report->result, "ok"))
			wrong("'%.*s': %s says count %lu size %lu keep %lu, %lu allocated, %s",
			      (int)length, line, report->workload, report->count, report->size,
			      report->keep, report->allocs, report->result);
	}
}

/* Writes a line in one call, whose result must be the one that the grammar predicts. */
static void whole(int file, const char *line, size_t length)
{
	char *text = memcpy(edge(length), line, length);
	struct meaning meaning = understand(line, length);
	struct iovec vector = { text, length };
	long result;

	lseek(file, below(5000), SEEK_SET);
	if (one_in(3))
		result = writev(file, &vector, 1);
	else if (one_in(2))
		result = pwritev2(file, &vector, 1, -1, 0);
	else
		result = write(file, text, length);
	input(result);
	if (length && result != (meaning.error ? -1 : (long)length))
		wrong("'%.*s': returned %ld (%s)", (int)length, line, result, strerror(errno));
	else if (length && meaning.error && errno != meaning.error)
		wrong("'%.*s': %s, and not %s", (int)length, line, strerror(errno),
		      strerror(meaning.error));
	else if (length && !meaning.error && one_in(2))
		check_reports(line, length, &meaning);
	/* The file has no position to write at. */
	if (one_in(8) && (input(pwrite(file, text, length, edge_number() & LONG_MAX)) >= 0 ||
			  errno != ESPIPE))
		wrong("pwrite: %s", strerror(errno));
}

/* Writes from unmapped memory, and more bytes than possible. */
static void faulting(int file, const char *line, size_t length)
{
	char *text = memcpy(edge(length), line, length);
	size_t too_much = length + 1 + below(300);
	long result = input(write(file, text, too_much));

	if (result >= 0 || (errno != EFAULT && errno != E2BIG))
		wrong("%zu bytes of %zu: %ld (%s)", too_much, length, result, strerror(errno));
	input(write(file, any_address(), 1 + below(LONGEST)));
	result = input(write(file, edge(EDGE), one_in(2) ? EDGE : EDGE << below(20)));
	if (result >= 0)
		wrong("a huge write: %ld", result);
}

/* Writes through pipes and files, and in parts, each of which is a command of its own. */
static void otherwise(int file, const char *line, size_t length)
{
	size_t half = length / 2, rest = length - half;
	struct iovec pieces[2] = { { (char *)line, half }, { (char *)line + half, rest } };
	int from, ends[2];
	off_t start = 0;

	if (understand(line, half).cost + understand(line + half, rest).cost < CHEAP)
		input(writev(file, pieces, 2));
	if (pipe(ends))
		die("pipe");
	if (write(ends[1], line, length) != (long)length)
		die("pipe");
	if (input(splice(ends[0], NULL, file, NULL, length, SPLICE_F_NONBLOCK)) >= 0)
		wrong("spliced into the file");
	close(ends[0]);
	close(ends[1]);
	from = open("/proc/self/exe", O_RDONLY);
	if (input(sendfile(file, from, &start, 100)) >= 0)
		wrong("sent a program to the file");
	close(from);
	if (!input(ftruncate(file, below(100))) && one_in(2))
		input(fallocate(file, 0, 0, PAGE));
}

static void one(void)
{
	static const int modes[] = { 0, O_NONBLOCK, O_APPEND, O_TRUNC, O_SYNC, O_CREAT };
	int mode = (one_in(2) ? O_RDWR : O_WRONLY) | modes[below(NUMBER(modes))];
	int file = open(EXERCISE, mode, 0600);
	char line[LINE];
	size_t length;

	if (file < 0) {
		wrong("the file cannot be opened: %s", strerror(errno));
		return;
	}
	do
		length = any_command(line);
	while (understand(line, length).cost >= CHEAP);
	whole(file, line, length);
	if (one_in(8))
		faulting(file, line, length);
	if (one_in(8))
		otherwise(file, line, length);
	close(file);
}

/* Several threads with one file; one of them changes the line meanwhile. */
static char shared_line[LINE];
static int shared_file;

static void *writer(void *unused)
{
	(void)unused;
	for (int i = 0; i < 8; i++)
		input(write(shared_file, shared_line, sizeof("kbox count=3 keep=2") - 1));
	return NULL;
}

static void *changer(void *unused)
{
	(void)unused;
	for (int i = 0; i < 400; i++) {
		shared_line[11] = '0' + i % 10;
		__atomic_store_n(shared_line, i % 7 ? 'k' : 'K', __ATOMIC_RELAXED);
	}
	return NULL;
}

static void together(void)
{
	pthread_t threads[4];

	snprintf(shared_line, sizeof(shared_line), "kbox count=3 keep=2");
	shared_file = open(EXERCISE, O_RDWR);
	for (unsigned int i = 0; i < NUMBER(threads); i++)
		if (pthread_create(threads + i, NULL, i ? writer : changer, NULL))
			die("thread");
	for (unsigned int i = 0; i < NUMBER(threads); i++)
		pthread_join(threads[i], NULL);
	close(shared_file);
}

void commands(void)
{
	for (int i = 0; i < 20; i++)
		one();
	if (one_in(4))
		together();
}
