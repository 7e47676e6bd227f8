// SPDX-License-Identifier: GPL-2.0
/*
 * The modules: loading, unloading, and what they hold.
 */

#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <sys/utsname.h>

#include "hostile.h"
#include "kalloc_kv.h"

/* As a system call ends: 0 or -errno. */
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

/* Takes back \xNN. Returns the length. */
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

/* Removes all keys, as the list names them. */
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
