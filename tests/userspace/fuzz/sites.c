// SPDX-License-Identifier: GPL-2.0-only
/* Compares the counters of the sites with the reports of the workloads. */

#include "commands.h"

/* Reads a line of the file of all sites. Returns whether there is another site with this prefix. */
static bool next(FILE *file, const char *prefix, struct site *site)
{
	char line[2000];

	while (file && fgets(line, sizeof(line), file)) {
		if (*line == '#' || strncmp(line, prefix, strlen(prefix)))
			continue;
		if (sscanf(line, "%99s %*s %*u %lu %lu %lu %*u %*u %*u %lu %*u %*u %lu",
			   site->name, &site->live, &site->allocs, &site->frees, &site->bytes,
			   &site->peak_bytes) == 6)
			return true;
		wrong("not a site: %s", line);
	}
	if (file)
		fclose(file);
	return false;
}

void check_live(const char *prefix)
{
	FILE *file = fopen(DEBUG "sites", "r");
	unsigned int sites = 0;
	struct site site;

	for (; next(file, prefix, &site); sites++)
		if (site.live || site.bytes || site.allocs != site.frees)
			wrong("%s has %lu live, %lu bytes, %lu allocated, %lu freed", site.name,
			      site.live, site.bytes, site.allocs, site.frees);
	if (!sites)
		wrong("no sites");
}

struct site site_of(const char *workload)
{
	FILE *file = fopen(DEBUG "sites", "r");
	struct site site, found = { 0 };
	char name[100];

	snprintf(name, sizeof(name), "exercise_%s", workload);
	while (next(file, name, &site))
		if (!strcmp(site.name, name))
			found = site;
	return found;
}

unsigned long allocated(const char *prefix)
{
	FILE *file = fopen(DEBUG "sites", "r");
	unsigned long sum = 0;
	struct site site;

	while (next(file, prefix, &site))
		sum += site.allocs;
	return sum;
}

unsigned int read_reports(struct report reports[WORKLOADS])
{
	FILE *file = fopen(EXERCISE, "r");
	unsigned int number = 0;
	char line[200];

	while (file && fgets(line, sizeof(line), file)) {
		struct report *report = reports + number;

		if (*line == '#')
			continue;
		if (number == WORKLOADS ||
		    sscanf(line, "%15s %lu %lu %lu %lu %lu %lu %15s", report->workload,
			   &report->count, &report->size, &report->keep, &report->allocs,
			   &report->frees, &report->failures, report->result) != 8)
			wrong("not a report: %s", line);
		else
			number++;
	}
	if (file)
		fclose(file);
	return number;
}

/* Returns the number of live blocks that a workload reports. */
static unsigned long kept(const struct report *report)
{
	if (strcmp(report->result, "ok"))
		return 0;
	if (strcmp(report->workload, "vmap"))
		return report->keep;
	return report->keep * ((report->size + PAGE - 1) / PAGE);
}

void check_kept(const char *what)
{
	struct report reports[WORKLOADS];
	unsigned int number = read_reports(reports);
	FILE *file = fopen(DEBUG "sites", "r");
	struct site site;

	while (next(file, "exercise_", &site)) {
		const char *name = site.name + strlen("exercise_"), *result = "not run";
		unsigned long blocks = 0;

		for (unsigned int i = 0; i < number; i++) {
			if (strcmp(reports[i].workload, name))
				continue;
			blocks = kept(reports + i);
			result = reports[i].result;
		}
		if (site.live != blocks)
			wrong("%s: %s (%s) keeps %lu blocks, and not %lu", what, name, result,
			      site.live, blocks);
	}
}
