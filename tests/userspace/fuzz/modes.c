// SPDX-License-Identifier: GPL-2.0-only
/* Permissions of the files and devices, as in Documentation/explanation/security.rst. */

#include <sys/stat.h>

#include "fuzz.h"

static const struct {
	const char *path;
	mode_t mode;
} files[] = {
	{ "/proc/kallocinfo", S_IFREG | 0400 },
	{ "/proc/kalloc_kv", S_IFREG | 0400 },
	{ "/dev/kalloc_kv", S_IFCHR | 0600 },
	{ "/dev/kalloc_map", S_IFCHR | 0600 },
	{ EXERCISE, S_IFREG | 0600 },
	{ DEBUG "sites", S_IFREG | 0400 },
	{ DEBUG "sites.json", S_IFREG | 0400 },
	{ DEBUG "compare", S_IFREG | 0400 },
	{ DEBUG "layout", S_IFREG | 0400 },
};

static const char * const modules[] = {
	"kalloc", "kalloc_exercise", "kalloc_compare", "kalloc_kv", "kalloc_map",
};

void modes(void)
{
	char path[200];

	for (unsigned int i = 0; i < NUMBER(files); i++) {
		struct stat about;

		if (stat(files[i].path, &about))
			wrong("%s: %s", files[i].path, strerror(errno));
		else if (about.st_mode != files[i].mode || about.st_uid || about.st_gid)
			wrong("%s has mode %#o, and is of user %u and group %u", files[i].path,
			      about.st_mode, about.st_uid, about.st_gid);
	}
	for (unsigned int i = 0; i < NUMBER(modules); i++) {
		snprintf(path, sizeof(path), "/sys/module/%s/parameters", modules[i]);
		if (!access(path, F_OK))
			wrong("%s is there", path);
	}
}
