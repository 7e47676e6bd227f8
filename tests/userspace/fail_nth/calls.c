// SPDX-License-Identifier: GPL-2.0-only
/* The calls. */

#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/utsname.h>

#include "fail_nth.h"
#include "kalloc_kv.h"

#define PAGE ((unsigned long)sysconf(_SC_PAGESIZE))

struct text last_read;

static int status(long result)
{
	return result < 0 ? -errno : 0;
}

int read_all(const char *path)
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

int write_all(const char *path, const char *text)
{
	int file = open(path, O_RDWR), error;

	if (file < 0)
		return -errno;
	error = status(write(file, text, strlen(text)));
	close(file);
	return error;
}

int exercise(const char *command)
{
	return write_all(DEBUG "exercise", command);
}

int renew(const char *text)
{
	return write_all("/dev/kalloc_map", text);
}

int map(const char *path)
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
		/*
		 * The last word of a page and the first word of the next one are consecutive
		 * numbers.
		 */
		if (*(unsigned long *)(pages + PAGE) != *(unsigned long *)(pages + PAGE - 8) + 8)
			error = -EBADMSG;
		munmap(pages, 2 * PAGE);
	}
	close(file);
	return error;
}

/* Makes one request to an open store, with the same few bytes for several pages. */
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

void forget(const char *key)
{
	if (store(KV_DELETE, key))
		die(key);
}

int set(const char *key)
{
	return store(KV_SET, key);
}

int set_and_forget(const char *key)
{
	int error = set(key), kept;

	if (error)
		return error;
	kept = store(KV_DELETE, key);
	/* Fault injection is off by then. */
	if (kept)
		forget(key);
	return kept;
}

int get(const char *key)
{
	return store(KV_GET, key);
}

int show(const char *key)
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

int load(const char *module)
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

int unload(const char *module)
{
	return status(syscall(SYS_delete_module, module, O_NONBLOCK));
}

void must_load(const char *module)
{
	if (load(module))
		die(module);
}

void must_unload(const char *module)
{
	if (unload(module))
		die(module);
}
