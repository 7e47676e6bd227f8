// SPDX-License-Identifier: GPL-2.0-only
/*
 * Every readable file and device: with all sizes, from all offsets, in all ways. As long as nothing
 * changes, each result is a part of the result of a plain read.
 */

#include <dirent.h>
#include <poll.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/sendfile.h>
#include <sys/uio.h>

#include "fuzz.h"

#define MOST (32 * PAGE)

static char whole[MOST];
static size_t length;
/* The time until which the contents do not change. */
static unsigned long stays;
/*
 * The time in ms for which a measurement is certainly shown again. It is repeated a second after
 * the last one.
 */
#define FRESH 500
#define STALE 1100

/* Reads the whole text. Returns whether the file can be read. */
static bool take(int file)
{
	long got;

	for (length = 0; (got = read(file, whole + length, MOST - length)) > 0; length += got)
		;
	return !got;
}

static void expect(const char *path, const char *how, const char *text, long got, off_t from)
{
	__atomic_add_fetch(&tally->reads, 1, __ATOMIC_RELAXED);
	if (got < 0 || now_ms() > stays)
		return;
	if (from > (off_t)length && got)
		wrong("%s: %s: %ld bytes from %ld on, of %zu", path, how, got, (long)from, length);
	else if (got && (from + got > (off_t)length || memcmp(text, whole + from, got)))
		wrong("%s: %s: other %ld bytes from %ld on", path, how, got, (long)from);
	else if (!got && from < (off_t)length)
		wrong("%s: %s: nothing from %ld on, of %zu", path, how, (long)from, length);
}

static void through_a_pipe(const char *path, int file, off_t from, size_t size)
{
	static char text[1 << 16];
	int ends[2];
	long got;

	if (pipe2(ends, O_NONBLOCK))
		die("pipe");
	if (size > sizeof(text))
		size = sizeof(text);
	got = one_in(2) ? splice(file, &from, ends[1], NULL, size, SPLICE_F_NONBLOCK) :
			  sendfile(ends[1], file, &from, size);
	if (got > 0) {
		long all = read(ends[0], text, got);

		expect(path, "spliced", text, all, from - got);
	}
	close(ends[0]);
	close(ends[1]);
}

/* Operations that all files of the modules reject. */
static void refuses(const char *path, int file)
{
	if (mmap(NULL, PAGE, PROT_READ, MAP_SHARED, file, 0) != MAP_FAILED)
		wrong("%s was mapped", path);
	if (write(file, "x", 1) >= 0 || !ftruncate(file, 0) || !ioctl(file, any(), any_address()))
		wrong("%s takes what it should not", path);
}

static void pieces(const char *path, int file)
{
	off_t from = one_in(8) ? (off_t)(edge_number() & LONG_MAX) : (off_t)below(length + 2);
	size_t size = 1 + below(one_in(3) ? 8192 : 100);
	char *room = edge(size), first[50];
	struct iovec two[2] = { { first, below(sizeof(first)) }, { room, size } };
	struct pollfd poll_one = { file, POLLIN, 0 };
	long got;

	expect(path, "pread", room, pread(file, room, size, from), from);
	/* The end of the buffer is not mapped: the bytes that are returned must be right. */
	got = pread(file, room, size + 1 + below(9000), from);
	expect(path, "faulting", room, got, from);
	if (got > (long)size)
		wrong("%s: %ld bytes to room of %zu", path, got, size);
	pread(file, any_address(), size, from);
	got = preadv(file, two, 2, from);
	if (got >= 0) {
		long head = got < (long)two[0].iov_len ? got : (long)two[0].iov_len;

		if (head)
			expect(path, "preadv", first, head, from);
		if (got > head)
			expect(path, "preadv on", room, got - head, from + head);
	}
	if (lseek(file, from, SEEK_SET) == from) {
		got = read(file, room, size);
		expect(path, "lseek", room, got, from);
		got = got < 0 ? -1 : read(file, room, size);
		if (got > 0)
			expect(path, "on", room, got, lseek(file, 0, SEEK_CUR) - got);
	}
	/* Bytes that did not fit are returned by the next read. */
	if (lseek(file, from, SEEK_SET) == from) {
		got = read(file, room, size + 1 + below(9000));
		expect(path, "faulting at its place", room, got, from);
		got = got < 0 ? -1 : read(file, room, size);
		if (got > 0)
			expect(path, "on after a fault", room, got, lseek(file, 0, SEEK_CUR) - got);
	}
	lseek(file, edge_number(), below(6));
	through_a_pipe(path, file, from, size);
	poll(&poll_one, 1, 0);
}

static void all_pieces(const char *path, int file)
{
	static char again[MOST];
	bool passes = !strcmp(path, COMPARE);

	if (passes)
		sleep_us(STALE * 1000);
	if (file < 0 || !take(file)) {
		wrong("%s cannot be read: %s", path, strerror(errno));
		return;
	}
	stays = passes ? now_ms() + FRESH : ULONG_MAX;
	expect(path, "again", again, pread(file, again, MOST, 0), 0);
	for (int i = 0; i < 6; i++)
		pieces(path, file);
}

static void file(const char *path)
{
	int descriptor = open(path, O_RDONLY | (one_in(4) ? O_NONBLOCK : 0));

	all_pieces(path, descriptor);
	refuses(path, descriptor);
	close(descriptor);
}

static void any_of_the_devices(void)
{
	int descriptor = any_device();

	all_pieces("a device", descriptor);
	close(descriptor);
}

/* Reads all readable files in a directory. */
static void directory(const char *path)
{
	char name[512];
	DIR *dir = opendir(path);

	for (struct dirent *entry; dir && (entry = readdir(dir));) {
		snprintf(name, sizeof(name), "%s/%s", path, entry->d_name);
		if (*entry->d_name != '.' && entry->d_type == DT_REG && !access(name, R_OK) &&
		    (strcmp(name, COMPARE) || (patient && one_in(8))))
			file(name);
	}
	if (dir)
		closedir(dir);
}

void reads(void)
{
	char path[200];

	file("/proc/kallocinfo");
	file("/proc/kalloc_kv");
	any_of_the_devices();
	directory("/sys/kernel/debug/kalloc");
	for (int i = 0; i < 4; i++) {
		static const char * const modules[] = {
			"kalloc", "kalloc_exercise", "kalloc_kv", "kalloc_map",
		};

		snprintf(path, sizeof(path), "/sys/module/%s/parameters", modules[i]);
		directory(path);
		snprintf(path, sizeof(path), "/sys/module/%s/sections", modules[i]);
		if (one_in(4))
			directory(path);
	}
}
