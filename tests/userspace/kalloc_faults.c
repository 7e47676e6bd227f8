// SPDX-License-Identifier: GPL-2.0
/*
 * Makes calls, of which the kernel refuses the first allocation, then the second, and
 * so on, until a call has all that it wants (/proc/thread-self/fail-nth). At every step
 * a call must succeed, or fail for want of memory and leave nothing behind.
 *
 * Prints a line for each kind of call: its name; how many allocations were refused, how
 * many calls failed of it, how many allocations a call has. Of calls with many, not each
 * one is refused once as many seconds have passed as the argument says; how often that was
 * so is said last. The status tells how many were wrong.
 */

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/utsname.h>
#include <time.h>
#include <unistd.h>

#include "kalloc_kv.h"

#define PAGE ((unsigned long)sysconf(_SC_PAGESIZE))
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

static int fail_nth;
static int wrong;
/* Kinds of which each allocation was refused. */
static unsigned int complete;
static struct text last_read;

static void say(const char *what, const struct kind *kind, unsigned int nth, long number)
{
	printf("WRONG %s, refusal %u: %s (%ld)\n", kind->name, nth, what, number);
	wrong++;
}

static void die(const char *what)
{
	perror(what);
	exit(99);
}

static int status(long result)
{
	return result < 0 ? -errno : 0;
}

/* ---- calls ---- */

static int read_all(const char *path)
{
	int file = open(path, O_RDONLY), error;
	struct text *text = &last_read;
	long got;

	if (file < 0)
		return -errno;
	text->length = 0;
	do {
		got = read(file, text->bytes + text->length, sizeof(text->bytes) - text->length);
		text->length += got > 0 ? got : 0;
	} while (got > 0);
	error = status(got);
	close(file);
	return error;
}

static int write_all(const char *path, const char *text)
{
	int file = open(path, O_RDWR), error;

	if (file < 0)
		return -errno;
	error = status(write(file, text, strlen(text)));
	close(file);
	return error;
}

static int exercise(const char *command)
{
	return write_all(DEBUG "exercise", command);
}

static int renew(const char *text)
{
	return write_all("/dev/kalloc_map", text);
}

/* Maps each block of the device, and looks at each of its pages. */
static int map(const char *path)
{
	int file = open(path, O_RDWR), error = 0;

	if (file < 0)
		return -errno;
	for (unsigned long block = 0; !error && block < 5; block++) {
		char *pages = mmap(NULL, 2 * PAGE, PROT_READ, MAP_SHARED, file, block * 16 * PAGE);

		if (pages == MAP_FAILED) {
			error = -errno;
			break;
		}
		/* The last word of a page, and the first of the next one, follow each other. */
		if (*(unsigned long *)(pages + PAGE) != *(unsigned long *)(pages + PAGE - 8) + 8)
			error = -EBADMSG;
		munmap(pages, 2 * PAGE);
	}
	close(file);
	return error;
}

/* One request to an open store, for the same few bytes of several pages. */
static int request(int device, unsigned long command, const char *key)
{
	static char value[20000];
	struct kv_request request = {
		.key = (unsigned long)key, .key_len = strlen(key),
	};

	if (command == KV_SET || command == KV_GET) {
		request.value = (unsigned long)value;
		request.value_len = sizeof(value);
	}
	return status(ioctl(device, command, &request));
}

/* Opens the store for one request. */
static int store(unsigned long command, const char *key)
{
	int device = open("/dev/kalloc_kv", O_RDWR), error;

	if (device < 0)
		return -errno;
	error = request(device, command, key);
	close(device);
	return error;
}

static void forget(const char *key)
{
	if (store(KV_DELETE, key))
		die(key);
}

static int set(const char *key)
{
	return store(KV_SET, key);
}

static int set_and_forget(const char *key)
{
	int error = set(key), kept;

	if (error)
		return error;
	kept = store(KV_DELETE, key);
	/* By then nothing is refused. */
	if (kept)
		forget(key);
	return kept;
}

static int get(const char *key)
{
	return store(KV_GET, key);
}

/* Has an open file show a value, reads it and maps it. */
static int show(const char *key)
{
	int device = open("/dev/kalloc_kv", O_RDONLY), error;
	char byte, *page = MAP_FAILED;

	if (device < 0)
		return -errno;
	error = request(device, KV_OPEN, key);
	if (!error)
		error = status(read(device, &byte, 1));
	if (!error) {
		page = mmap(NULL, PAGE, PROT_READ, MAP_SHARED, device, 0);
		error = page == MAP_FAILED ? -errno : 0;
	}
	if (!error && *page != byte)
		error = -EBADMSG;
	if (page != MAP_FAILED)
		munmap(page, PAGE);
	close(device);
	return error;
}

static int load(const char *module)
{
	const char *options = strcmp(module, "kalloc_exercise") ? "" : "count=1 keep=1";
	char path[200];
	struct utsname kernel;
	int file, error;

	uname(&kernel);
	snprintf(path, sizeof(path), "/lib/modules/%s/extra/%s.ko", kernel.release, module);
	file = open(path, O_RDONLY);
	if (file < 0)
		return -errno;
	error = status(syscall(SYS_finit_module, file, options, 0));
	close(file);
	return error;
}

static int unload(const char *module)
{
	return status(syscall(SYS_delete_module, module, O_NONBLOCK));
}

static void must_load(const char *module)
{
	if (load(module))
		die(module);
}

static void must_unload(const char *module)
{
	if (unload(module))
		die(module);
}

static bool loaded(const char *module)
{
	char path[200];

	snprintf(path, sizeof(path), "/sys/module/%s", module);
	return access(path, F_OK) == 0;
}

/* ---- what they leave ---- */

static struct counts count(const char *prefix)
{
	struct counts counts = {};
	char line[2000], name[100];
	FILE *sites = fopen(DEBUG "sites", "r");

	if (!sites)
		return counts;
	while (fgets(line, sizeof(line), sites)) {
		unsigned long n[6];

		if (*line == '#' || strncmp(line, prefix, strlen(prefix)))
			continue;
		if (sscanf(line, "%99s %*s %*u %lu %lu %lu %lu %lu %lu",
			   name, n, n + 1, n + 2, n + 3, n + 4, n + 5) != 7)
			die("sites");
		counts.sites++;
		counts.live += n[0];
		counts.allocs += n[1];
		counts.frees += n[2];
		counts.failures += n[3];
		counts.others += n[4] + n[5];
	}
	fclose(sites);
	return counts;
}

static void check_module(const struct kind *kind, unsigned int nth, bool must_be_there)
{
	bool is_kalloc = !strcmp(kind->argument, "kalloc");

	if (loaded(kind->argument) != must_be_there)
		say("loaded", kind, nth, !must_be_there);
	if (is_kalloc && (access("/proc/kallocinfo", R_OK) == 0) != must_be_there)
		say("its file", kind, nth, !must_be_there);
	/* Without memory, there may be no folder. */
	if (is_kalloc && access(DEBUG, R_OK) == 0 && !must_be_there)
		say("its folder", kind, nth, 1);
	if (!must_be_there && count(kind->sites).sites)
		say("its sites", kind, nth, count(kind->sites).sites);
}

static void check_counts(const struct kind *kind, unsigned int nth, int error, struct counts before)
{
	struct counts now = count(kind->sites);
	unsigned long failures = now.failures - before.failures;

	if (!now.sites || now.sites != before.sites)
		say("sites", kind, nth, now.sites);
	/* What a call leaves if it succeeds is taken back later. */
	if (now.allocs - now.frees != now.live ||
	    (now.live != before.live && (error || !kind->after)))
		say("live", kind, nth, now.live);
	/* One allocation is refused: one failure at the most, and then the call fails. */
	if (kind->special != PROBES && failures > (error ? 1 : 0))
		say("failures", kind, nth, failures);
	if (kind->special != PROBES && now.others != before.others)
		say("failures of another kind", kind, nth, now.others - before.others);
}

/* ---- steps ---- */

static void arm(unsigned int nth)
{
	char text[20];
	int length = snprintf(text, sizeof(text), "%u", nth);

	if (pwrite(fail_nth, text, length, 0) != length)
		die("fail-nth");
}

/* How many allocations there still were before the one to refuse; 0: it was refused. */
static unsigned int disarm(void)
{
	char text[20] = "";

	if (pread(fail_nth, text, sizeof(text) - 1, 0) <= 0)
		die("fail-nth");
	arm(0);
	return atoi(text);
}

static bool equal(const struct text *one, const struct text *other)
{
	return one->length == other->length && !memcmp(one->bytes, other->bytes, one->length);
}

/* Makes one call. Whether an allocation was refused. */
static bool step(const struct kind *kind, unsigned int nth, int *error, unsigned int *left)
{
	static struct text wanted;
	struct counts before;

	if (kind->before)
		kind->before(kind->argument);
	if (kind->special == SAME) {
		if (read_all(kind->argument))
			die(kind->argument);
		wanted = last_read;
	}
	before = count(kind->sites);
	arm(nth);
	*error = kind->call(kind->argument);
	*left = disarm();

	if (*error && *left)
		say("failed without a refusal", kind, nth, *error);
	if (*error && *error != -ENOMEM)
		say("another error", kind, nth, *error);
	if (kind->special == SAME && !*error && !equal(&wanted, &last_read))
		say("another text", kind, nth, last_read.length);
	if (kind->call == load || kind->call == unload)
		check_module(kind, nth, (kind->call == load) == !*error);
	else
		check_counts(kind, nth, *error, before);

	if (!*error && kind->after)
		kind->after(kind->argument);
	if (*error && kind->call == unload)
		must_unload(kind->argument);
	return !*left;
}

static time_t seconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec;
}

static void run(const struct kind *kind, time_t until)
{
	unsigned int refused = 0, failed = 0, nth = 1, left;
	bool each = seconds() < until;
	int error;

	while (step(kind, nth, &error, &left)) {
		refused++;
		failed += !!error;
		each = each && seconds() < until;
		nth += each ? 1 : 1 + 4 * nth;
	}
	complete += each;
	printf("%s %u %u %u\n", kind->name, refused, failed, nth - left);
	fflush(stdout);
}

static const struct kind with_nothing[] = {
	{ "load_kalloc", load, "kalloc", NULL, must_unload, "", NOTHING },
	{ "unload_kalloc", unload, "kalloc", must_load, NULL, "", NOTHING },
};

static const struct kind with_kalloc[] = {
	{ "load_exercise", load, "kalloc_exercise", NULL, must_unload, "exercise_", NOTHING },
	{ "unload_exercise", unload, "kalloc_exercise", must_load, NULL, "exercise_", NOTHING },
	{ "load_compare", load, "kalloc_compare", NULL, must_unload, "compare_", NOTHING },
	{ "unload_compare", unload, "kalloc_compare", must_load, NULL, "compare_", NOTHING },
	{ "load_map", load, "kalloc_map", NULL, must_unload, "map_", NOTHING },
	{ "unload_map", unload, "kalloc_map", must_load, NULL, "map_", NOTHING },
	{ "load_kv", load, "kalloc_kv", NULL, must_unload, "kv_", NOTHING },
	{ "unload_kv", unload, "kalloc_kv", must_load, NULL, "kv_", NOTHING },
};

static const struct kind with_all[] = {
	{ "kallocinfo", read_all, "/proc/kallocinfo", NULL, NULL, "exercise_", SAME },
	{ "sites", read_all, DEBUG "sites", NULL, NULL, "exercise_", SAME },
	{ "sites.json", read_all, DEBUG "sites.json", NULL, NULL, "exercise_", SAME },
	{ "layout", read_all, DEBUG "layout", NULL, NULL, "compare_", SAME },
	{ "compare", read_all, DEBUG "compare", NULL, NULL, "compare_", PROBES },
	{ "exercise", read_all, DEBUG "exercise", NULL, NULL, "exercise_", SAME },
	{ "kbox", exercise, "kbox count=2", NULL, NULL, "exercise_", NOTHING },
	{ "kvec", exercise, "kvec count=2 size=5000", NULL, NULL, "exercise_", NOTHING },
	{ "karray", exercise, "karray count=2 size=5000", NULL, NULL, "exercise_", NOTHING },
	{ "kvarray", exercise, "kvarray count=2 size=5000", NULL, NULL, "exercise_", NOTHING },
	{ "cache", exercise, "cache count=2", NULL, NULL, "exercise_", NOTHING },
	{ "pages", exercise, "pages count=2 size=5000", NULL, NULL, "exercise_", NOTHING },
	{ "fpages", exercise, "fpages count=2 size=5000", NULL, NULL, "exercise_", NOTHING },
	{ "vmap", exercise, "vmap count=2 size=5000", NULL, NULL, "exercise_", NOTHING },
	{ "vbox", exercise, "vbox count=2", NULL, NULL, "exercise_", NOTHING },
	{ "varray", exercise, "varray count=2 size=5000", NULL, NULL, "exercise_", NOTHING },
	{ "map", map, "/dev/kalloc_map", NULL, NULL, "map_", NOTHING },
	{ "map_read", read_all, "/dev/kalloc_map", NULL, NULL, "map_", NOTHING },
	{ "map_renew", renew, "renew", NULL, NULL, "map_", NOTHING },
	{ "kv_set", set, "new", NULL, forget, "kv_", NOTHING },
	{ "kv_replace", set, "kept", NULL, NULL, "kv_", NOTHING },
	{ "kv_delete", set_and_forget, "new", NULL, NULL, "kv_", NOTHING },
	{ "kv_get", get, "kept", NULL, NULL, "kv_", NOTHING },
	{ "kv_show", show, "kept", NULL, NULL, "kv_", NOTHING },
	{ "kv_list", read_all, "/proc/kalloc_kv", NULL, NULL, "kv_", SAME },
};

#define NUMBER(kinds) (sizeof(kinds) / sizeof(*(kinds)))

static void run_all(const struct kind *kinds, size_t number, time_t until)
{
	for (size_t i = 0; i < number; i++)
		run(kinds + i, until);
}

/* No allocation is exempted, and the log not filled. */
static void expose(const char *folder, const char *file, const char *value)
{
	char path[200];

	snprintf(path, sizeof(path), "/sys/kernel/debug/%s/%s", folder, file);
	if (write_all(path, value))
		die(path);
}

int main(int argc, char **argv)
{
	time_t until = seconds() + (argc > 1 ? atol(argv[1]) : 0);

	expose("failslab", "ignore-gfp-wait", "N");
	expose("failslab", "verbose", "0");
	expose("fail_page_alloc", "ignore-gfp-wait", "N");
	expose("fail_page_alloc", "ignore-gfp-highmem", "N");
	expose("fail_page_alloc", "min-order", "0");
	expose("fail_page_alloc", "verbose", "0");
	fail_nth = open("/proc/thread-self/fail-nth", O_RDWR);
	if (fail_nth < 0)
		die("fail-nth");

	run_all(with_nothing, NUMBER(with_nothing), until);
	must_load("kalloc");
	run_all(with_kalloc, NUMBER(with_kalloc), until);
	must_load("kalloc_exercise");
	must_load("kalloc_compare");
	must_load("kalloc_map");
	must_load("kalloc_kv");
	/* What the workloads have left live when they were loaded. */
	if (exercise("free"))
		die("exercise");
	if (set("kept"))
		die("kept");
	run_all(with_all, NUMBER(with_all), until);
	forget("kept");
	if (count("").live)
		say("live at the end", with_all, 0, count("").live);
	must_unload("kalloc_kv");
	must_unload("kalloc_map");
	must_unload("kalloc_compare");
	must_unload("kalloc_exercise");
	must_unload("kalloc");
	printf("complete %u\n", complete);
	return wrong;
}
