// SPDX-License-Identifier: GPL-2.0-only
/* The state that calls leave behind: modules, their files, and the counters of their sites. */

#include "fail_nth.h"

static bool loaded(const char *module)
{
	char path[200];

	snprintf(path, sizeof(path), "/sys/module/%s", module);
	return access(path, F_OK) == 0;
}

struct counts count(const char *prefix)
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

void check_module(const struct kind *kind, unsigned int nth, bool must_be_there)
{
	bool is_kalloc = !strcmp(kind->argument, "kalloc");

	if (loaded(kind->argument) != must_be_there)
		say("loaded", kind, nth, !must_be_there);
	if (is_kalloc && (access("/proc/kallocinfo", R_OK) == 0) != must_be_there)
		say("its file", kind, nth, !must_be_there);
	/* If an allocation failed, the directory may be missing. */
	if (is_kalloc && access(DEBUG, R_OK) == 0 && !must_be_there)
		say("its directory", kind, nth, 1);
	if (!must_be_there && count(kind->sites).sites)
		say("its sites", kind, nth, count(kind->sites).sites);
}

void check_counts(const struct kind *kind, unsigned int nth, int error, struct counts before)
{
	struct counts now = count(kind->sites);
	unsigned long failures = now.failures - before.failures;

	if (!now.sites || now.sites != before.sites)
		say("sites", kind, nth, now.sites);
	/* The state that a successful call leaves is undone later. */
	if (now.allocs - now.frees != now.live ||
	    (now.live != before.live && (error || !kind->after)))
		say("live", kind, nth, now.live);
	/* One injected failure counts as at most one failure, and then the call fails. */
	if (kind->special != PROBES && failures > (error ? 1 : 0))
		say("failures", kind, nth, failures);
	if (kind->special != PROBES && now.others != before.others)
		say("failures of another kind", kind, nth, now.others - before.others);
}
