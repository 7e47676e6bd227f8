// SPDX-License-Identifier: GPL-2.0-only
/*
 * Loading modules with parameters that are valid, out of range, or not numbers. The module must
 * load and obey them, or fail to load and leave nothing behind.
 */

#include "commands.h"

/* Invalid parameters, which fail with EINVAL. */
static const char * const wrong_ones[] = {
	"count=0", "count=100001", "count=-1", "count=4294967296", "count=18446744073709551616",
	"count=", "count", "size=0", "size=4194305", "size=4294967295 keep=4294967295",
	"keep=1001", "size=4194304 keep=1000", "count=100000 size=4194304", "workloads=-1",
	"workloads=4294967296", "count=1e3", "count=\xd9\xa1", "size=\xff", "keep=\" 1\"",
	"workloads=0x",
};

static const struct {
	const char *text;
	unsigned int workloads;
	unsigned long numbers[3];
} right_ones[] = {
	{ "count=0x10 keep=0", WORKLOADS, { 16, 256, 0 } },
	{ "workloads=0 count=1", 0, { 1, 256, 4 } },
	{ "workloads=4294967295 count=1 keep=0", WORKLOADS, { 1, 256, 0 } },
	{ "count=+5 keep=1", WORKLOADS, { 5, 256, 1 } },
	{ "count=010 keep=0", WORKLOADS, { 8, 256, 0 } },
	{ "\"count=2\" keep=0", WORKLOADS, { 2, 256, 0 } },
};

/* A set of parameters, whether it is valid, and the command that runs with it. */
struct load {
	char text[1100];
	bool right;
	unsigned int workloads;
	unsigned long numbers[3];
};

/* One number is at its limit or just beyond it. No workload runs, or a small one. */
static void at_limits(struct load *load)
{
	static const unsigned long limits[3][6] = {
		{ 0, 1, 2, 100000, 100001, 100001 },
		{ 0, 1, 4096, 4194304, 4194305, 4194305 },
		{ 0, 1, 4, 1000, 1001, 1001 },
	};
	char line[LINE];
	int length, at = below(3);
	struct meaning meaning;

	for (int i = 0; i < 3; i++)
		load->numbers[i] = limits[i][i == at ? below(6) : 1 + below(2)];
	length = snprintf(line, sizeof(line), "kbox count=%lu size=%lu keep=%lu",
			  load->numbers[0], load->numbers[1], load->numbers[2]);
	/* Every valid command is a valid parameter. */
	meaning = understand(line, length);
	load->right = !meaning.error;
	load->workloads = meaning.cost < CHEAP && one_in(2);
	snprintf(load->text, sizeof(load->text), "%s workloads=%u", line + strlen("kbox "),
		 load->workloads);
}

static void choose(struct load *load)
{
	size_t number = below(NUMBER(right_ones));

	memset(load, 0, sizeof(*load));
	switch (below(4)) {
	case 0:
		load->right = true;
		load->workloads = right_ones[number].workloads;
		memcpy(load->numbers, right_ones[number].numbers, sizeof(load->numbers));
		snprintf(load->text, sizeof(load->text), "%s", right_ones[number].text);
		break;
	case 1:
		snprintf(load->text, sizeof(load->text), "%s workloads=0",
			 wrong_ones[below(NUMBER(wrong_ones))]);
		if (one_in(20)) {
			/* The kernel does not accept a longer parameter. */
			memset(load->text, 'x', 500);
			memcpy(load->text, "count=", 6);
		}
		break;
	default:
		at_limits(load);
	}
}

/* Checks that the loaded module has obeyed its parameters. */
static void check_done(const struct load *load)
{
	struct report reports[WORKLOADS];
	unsigned int number = read_reports(reports);

	if (number != load->workloads)
		wrong("'%s': %u workloads ran, and not %u", load->text, number, load->workloads);
	for (unsigned int i = 0; i < number; i++)
		if (reports[i].count != load->numbers[0] || reports[i].size != load->numbers[1] ||
		    reports[i].keep != load->numbers[2] || strcmp(reports[i].result, "ok"))
			wrong("'%s': %s says count %lu size %lu keep %lu, %s", load->text,
			      reports[i].workload, reports[i].count, reports[i].size,
			      reports[i].keep, reports[i].result);
	check_kept(load->text);
}

static void one(void)
{
	int error = unload("kalloc_exercise");
	struct load chosen;

	if (error)
		wrong("kalloc_exercise cannot be unloaded: %s", strerror(-error));
	choose(&chosen);
	error = load("kalloc_exercise", chosen.text);
	errno = -error;
	input(error ? -1 : 0);
	if (error != (chosen.right ? 0 : -EINVAL))
		wrong("'%s': %s, and not %s", chosen.text,
		      error ? strerrorname_np(-error) : "loaded",
		      chosen.right ? "loaded" : "EINVAL");
	if (error && !access("/sys/module/kalloc_exercise", F_OK))
		wrong("'%s' left the module", chosen.text);
	if (error && !access(EXERCISE, F_OK))
		wrong("'%s' left the file", chosen.text);
	if (!error && chosen.right)
		check_done(&chosen);
	if (error)
		error = load("kalloc_exercise", "count=1 keep=1");
	if (error)
		wrong("kalloc_exercise cannot be loaded: %s", strerror(-error));
}

/* Loads kalloc.ko with a period for sampling the high watermarks. */
static void sampler(void)
{
	static const struct {
		const char *text;
		bool right;
	} options[] = {
		{ "sample_ms=0", true }, { "sample_ms=1", true }, { "sample_ms=4294967295", true },
		{ "sample_ms=4294967296", false }, { "sample_ms=-1", false },
		{ "sample_ms=x", false }, { "sample_ms=", false },
	};
	size_t chosen = below(NUMBER(options));
	int error;

	unload_all(true);
	error = load("kalloc", options[chosen].text);
	errno = -error;
	input(error ? -1 : 0);
	if (error != (options[chosen].right ? 0 : -EINVAL))
		wrong("'%s': %s", options[chosen].text, error ? strerrorname_np(-error) : "loaded");
	if (error)
		check_gone();
	/* The module has its parameters if they were valid. */
	load_all("");
}

void parameters(void)
{
	if (one_in(2))
		sampler();
	for (int i = 0; i < (patient ? 3 : 1); i++)
		one();
}
