// SPDX-License-Identifier: GPL-2.0-only
/* Loading and unloading the modules, and the memory that they hold. */

#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <sys/utsname.h>

#include "fuzz.h"
#include "kalloc_kv.h"

const char * const samples[SAMPLES] = {
	"kalloc_exercise", "kalloc_compare", "kalloc_kv", "kalloc_map",
};

/* Returns the result of a system call as 0 or -errno. */
static int ended(long result)
{
	return result < 0 ? -errno : 0;
}

int load(const char *module, const char *options)
{
	struct utsname kernel;
	char path[200];
	int file, error;

	uname(&kernel);
	snprintf(path, sizeof(path), "/lib/modules/%s/extra/%s.ko", kernel.release, module);
	file = open(path, O_RDONLY | O_CLOEXEC);
	if (file < 0)
		return -errno;
	error = ended(syscall(SYS_finit_module, file, options, 0));
	close(file);
	__atomic_add_fetch(&tally->loads, !error, __ATOMIC_RELAXED);
	return error;
}

int unload(const char *module)
{
	int error = ended(syscall(SYS_delete_module, module, O_NONBLOCK));

	__atomic_add_fetch(error ? &tally->refused_unloads : &tally->unloads, 1, __ATOMIC_RELAXED);
	return error;
}

static bool is_loaded(const char *module)
{
	char path[100];

	snprintf(path, sizeof(path), "/sys/module/%s/refcnt", module);
	return !access(path, F_OK);
}

static void load_again(const char *module, const char *options)
{
	int error = is_loaded(module) ? 0 : load(module, options);

	if (error)
		wrong("%s cannot be loaded: %s", module, strerror(-error));
}

void unload_all(bool must)
{
	for (unsigned int i = 0; i <= SAMPLES; i++) {
		const char *module = i < SAMPLES ? samples[i] : "kalloc";
		int error = is_loaded(module) ? unload(module) : 0;

		/* Only its users pin a module. */
		if (error && (must || (error != -EWOULDBLOCK && error != -EBUSY)))
			wrong("%s cannot be unloaded: %s", module, strerror(-error));
	}
	if (must)
		check_gone();
}

void load_all(const char *options)
{
	load_again("kalloc", options);
	for (unsigned int i = 0; i < SAMPLES; i++)
		load_again(samples[i], i ? "" : "count=2 keep=1");
}

void check_gone(void)
{
	if (is_loaded("kalloc") || !access("/proc/kallocinfo", F_OK) || !access(DEBUG, F_OK))
		wrong("something is left of the modules");
}

/* Decodes \xNN. Returns the length. */
static size_t unescape(char *key)
{
	char *to = key;

	for (char *from = key; *from; to++) {
		unsigned int byte;

		if (sscanf(from, "\\x%2x", &byte) == 1) {
			*to = byte;
			from += 4;
		} else {
			*to = *from++;
		}
	}
	return to - key;
}

/* Removes all keys that the list contains. */
void delete_keys(void)
{
	int device = open("/dev/kalloc_kv", O_RDWR);
	FILE *list = fopen("/proc/kalloc_kv", "r");
	char line[400], key[300];

	while (list && fgets(line, sizeof(line), list)) {
		struct kv_request request = { .key = (unsigned long)key };

		if (*line == '#' || sscanf(line, "%*u %299s", key) != 1)
			continue;
		request.key_len = unescape(key);
		if (ioctl(device, KV_DELETE, &request))
			wrong("key %s cannot be deleted: %s", line, strerror(errno));
	}
	if (list)
		fclose(list);
	close(device);
}

void free_workloads(void)
{
	int file = open(EXERCISE, O_WRONLY);

	if (file >= 0 && write(file, "free", 4) != 4)
		wrong("free: %s", strerror(errno));
	close(file);
}

void check_nothing_live(void)
{
	free_workloads();
	delete_keys();
	check_live("");
}
