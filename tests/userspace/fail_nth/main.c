// SPDX-License-Identifier: GPL-2.0-only
/*
 * Makes calls with the first allocation failing, then the second, and so on, until a call has no
 * more allocations (/proc/thread-self/fail-nth). At every step a call must succeed, or fail with
 * ENOMEM and leave nothing behind.
 *
 * Prints a line for each kind of call: its name, the number of injected failures, the number of
 * calls that failed, the number of allocations of a call. The argument is a time in seconds;
 * afterwards not every allocation of a call with many is tried. The last line is the number of
 * kinds that are complete. The status is the number of errors.
 */

#include <time.h>

#include "fail_nth.h"

static int fail_nth;
static int wrong;
/* The number of kinds of which each allocation failed once. */
static unsigned int complete;

void say(const char *what, const struct kind *kind, unsigned int nth, long number)
{
	printf("WRONG %s, refusal %u: %s (%ld)\n", kind->name, nth, what, number);
	wrong++;
}

void die(const char *what)
{
	perror(what);
	exit(99);
}

static void arm(unsigned int nth)
{
	char text[20];
	int length = snprintf(text, sizeof(text), "%u", nth);

	if (pwrite(fail_nth, text, length, 0) != length)
		die("fail-nth");
}

/* Returns the number of allocations that remained before the injected failure; 0: it happened. */
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

/* Makes one call. Returns whether an allocation failed. */
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

/* Injects failures into all allocations, without filling the log. */
static void expose(const char *directory, const char *file, const char *value)
{
	char path[200];

	snprintf(path, sizeof(path), "/sys/kernel/debug/%s/%s", directory, file);
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
	/* Frees the blocks that the workloads kept when the module was loaded. */
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
