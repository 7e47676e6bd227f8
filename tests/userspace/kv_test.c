// SPDX-License-Identifier: GPL-2.0-only
/*
 * Operations that programs can and cannot do with /dev/kalloc_kv. Prints a line for each case, "ok"
 * or "WRONG" and its name; the status is the number of errors. It leaves no key.
 *
 * With an argument:
 * - "list" leaves some keys.
 * - "churn" leaves one key, and sets and deletes another one often.
 * - "fill" sets as many of the longest values as possible, leaves them, and prints their number and
 *   the error.
 * - "hold" leaves one key, maps its value, replaces it, closes all files, prints a line, and waits
 *   for the end of its standard input.
 * - A number sets that many keys with the longest values, or as many as possible, checks them and
 *   deletes them. Several processes may do so at the same time.
 */

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/time.h>
#include <sys/wait.h>
#include <unistd.h>

#include "kalloc_kv.h"

#define PAGE ((unsigned long)sysconf(_SC_PAGESIZE))

static int wrong;
static char buffer[KV_VALUE_MAX + 1], other[KV_VALUE_MAX + 1];

static void check(bool right, const char *name)
{
	printf("%s %s\n", right ? "ok" : "WRONG", name);
	wrong += !right;
}

static int open_device(int flags)
{
	int device = open("/dev/kalloc_kv", flags);

	if (device < 0) {
		perror("/dev/kalloc_kv");
		exit(99);
	}
	return device;
}

static long request(int device, unsigned long command, const char *key, const void *value,
		    size_t length, unsigned int flags)
{
	struct kv_request request = {
		.key = (unsigned long)key, .key_len = strlen(key),
		.value = (unsigned long)value, .value_len = length, .flags = flags,
	};

	return ioctl(device, command, &request);
}

static long set(int device, const char *key, const void *value, size_t length)
{
	return request(device, KV_SET, key, value, length, 0);
}

static long get(int device, const char *key, void *room, size_t length)
{
	return request(device, KV_GET, key, room, length, 0);
}

static long delete(int device, const char *key)
{
	return request(device, KV_DELETE, key, NULL, 0, 0);
}

/* Opens a file that shows the key's value. */
static int open_value(const char *key)
{
	int device = open_device(O_RDONLY);

	if (request(device, KV_OPEN, key, NULL, 0, 0))
		exit(99);
	return device;
}

static char *map(int device, size_t length)
{
	return mmap(NULL, length, PROT_READ, MAP_SHARED, device, 0);
}

/* Writes bytes that depend on the seed and on their offset. */
static void fill(char *bytes, size_t length, unsigned int seed)
{
	for (size_t at = 0; at < length; at++)
		bytes[at] = seed * 41 + at + at / 251;
}

static bool is_filled(const char *bytes, size_t length, unsigned int seed)
{
	for (size_t at = 0; at < length; at++)
		if (bytes[at] != (char)(seed * 41 + at + at / 251))
			return false;
	return true;
}

static bool is_zero(const char *bytes, size_t length)
{
	while (length && !*bytes)
		bytes++, length--;
	return !length;
}

static bool failed(long result, int error)
{
	return result == -1 && errno == error;
}

static void contents(int device)
{
	static const size_t lengths[] = { 0, 1, 4095, 4096, 4097, 20000, KV_VALUE_MAX };

	for (unsigned int i = 0; i < sizeof(lengths) / sizeof(*lengths); i++) {
		size_t length = lengths[i];

		fill(buffer, length, i);
		memset(other, 1, sizeof(other));
		check(!set(device, "key", buffer, length), "set");
		check(get(device, "key", NULL, 0) == (long)length, "length");
		check(get(device, "key", other, sizeof(other)) == (long)length &&
		      is_filled(other, length, i) && (length > KV_VALUE_MAX || other[length] == 1),
		      "get");
		if (length > 1)
			check(failed(get(device, "key", other, length - 1), ERANGE), "no room");
	}
	check(failed(request(device, KV_SET, "key", "x", 1, KV_CREATE), EEXIST), "created twice");
	check(!request(device, KV_SET, "key", "x", 1, KV_REPLACE), "replaced");
	check(get(device, "key", other, 9) == 1 && *other == 'x', "what replaced it");
	check(!delete(device, "key"), "delete");
	check(failed(get(device, "key", other, 9), ENOENT), "deleted");
	check(failed(delete(device, "key"), ENOENT), "deleted twice");
	check(failed(request(device, KV_SET, "key", "x", 1, KV_REPLACE), ENOENT),
	      "nothing replaced");
	/* The order of keys, and common prefixes, make no difference. */
	for (int i = 0; i < 100; i++) {
		char key[8];

		snprintf(key, sizeof(key), "%d", i * 37 % 100);
		if (request(device, KV_SET, key, key, strlen(key), KV_CREATE))
			exit(99);
	}
	for (int i = 0; i < 100; i++) {
		char key[8];

		snprintf(key, sizeof(key), "%d", i);
		if (get(device, key, other, 8) != (long)strlen(key) ||
		    memcmp(other, key, strlen(key)) || delete(device, key))
			check(false, key);
	}
}

static void mistakes(int device)
{
	static char long_key[KV_KEY_MAX + 2];
	char *nowhere = (char *)0x10000, *kernel = (char *)~0xffful;
	int reader = open_device(O_RDONLY), writer = open_device(O_WRONLY);
	struct kv_request odd = { .key = (unsigned long)"key", .key_len = 3, .reserved = 1 };

	memset(long_key, 'k', KV_KEY_MAX + 1);
	check(failed(set(device, "", "x", 1), ERANGE), "empty key");
	check(failed(set(device, long_key, "x", 1), ERANGE), "long key");
	check(!set(device, long_key + 1, "x", 1) && !delete(device, long_key + 1), "longest key");
	check(failed(set(device, "key", buffer, KV_VALUE_MAX + 1), E2BIG), "long value");
	check(failed(set(device, "key", buffer, 0xffffffff), E2BIG), "longest value");
	check(failed(set(device, "key", nowhere, 8), EFAULT), "value nowhere");
	check(failed(set(device, "key", kernel, 8), EFAULT), "value of the kernel's");
	check(failed(get(device, "key", buffer, 8), ENOENT), "not set by a mistake");
	check(!set(device, "key", "x", 1), "set after mistakes");
	check(failed(get(device, "key", nowhere, 8), EFAULT), "room nowhere");
	check(failed(get(device, "key", kernel, 8), EFAULT), "room of the kernel's");
	odd.key = (unsigned long)nowhere;
	odd.reserved = 0;
	check(failed(ioctl(device, KV_GET, &odd), EFAULT), "key nowhere");
	odd.key = (unsigned long)kernel;
	odd.key_len = 0xffffffff;
	check(failed(ioctl(device, KV_GET, &odd), ERANGE), "key far too long");
	odd.key = (unsigned long)"key";
	odd.key_len = 3;
	odd.reserved = 1;
	check(failed(ioctl(device, KV_DELETE, &odd), EINVAL), "reserved word");
	check(failed(request(device, KV_SET, "key", "x", 1, 3), EINVAL), "two flags");
	check(failed(request(device, KV_SET, "key", "x", 1, 4), EINVAL), "no such flag");
	check(failed(request(device, KV_DELETE, "key", NULL, 0, 1), EINVAL), "flag elsewhere");
	check(failed(ioctl(device, KV_SET, NULL), EFAULT), "request nowhere");
	check(failed(ioctl(device, KV_SET, ~0ul), EFAULT), "request at the end");
	check(failed(ioctl(device, _IO('k', 0xa0), &odd), ENOTTY), "command of no size");
	check(failed(ioctl(device, ~0u, &odd), ENOTTY), "no such command");
	check(failed(set(reader, "key", "y", 1), EBADF) && failed(delete(reader, "key"), EBADF),
	      "written by a reader");
	check(failed(get(writer, "key", other, 8), EBADF) &&
	      failed(request(writer, KV_OPEN, "key", NULL, 0, 0), EBADF), "read by a writer");
	check(get(reader, "key", other, 8) == 1 && *other == 'x', "as it was");
	check(failed(read(reader, other, 8), ENODATA), "read before it shows anything");
	check(failed((long)map(reader, PAGE), ENODATA), "mapped before it shows anything");
	check(failed(write(writer, "x", 1), EINVAL), "written to");
	check(failed(request(reader, KV_OPEN, "nothing", NULL, 0, 0), ENOENT), "nothing to show");
	check(!request(reader, KV_OPEN, "key", NULL, 0, 0), "something to show");
	check(failed(request(reader, KV_OPEN, "key", NULL, 0, 0), EBUSY), "shown twice");
	delete(device, "key");
	close(reader);
	close(writer);
}

static void mapping(int device)
{
	size_t length = 3 * PAGE + 100;
	int file, status;
	char *old, *new;

	fill(buffer, length, 7);
	set(device, "key", buffer, length);
	file = open_value("key");
	check(read(file, other, 1000) == 1000 &&
	      read(file, other + 1000, sizeof(other) - 1000) == (long)length - 1000 &&
	      is_filled(other, length, 7), "read");
	check(!read(file, other, 1), "read to the end");
	check(pread(file, (void *)PAGE, 9, 0) < 0 && errno == EFAULT, "read to nowhere");
	check(pread(file, other, 100, 5000) == 100 && !memcmp(other, buffer + 5000, 100), "pread");
	old = map(file, 4 * PAGE);
	check(is_filled(old, length, 7) && is_zero(old + length, PAGE - 100), "mapped");
	check(failed((long)mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0), EACCES),
	      "mapped to be written");
	check(failed((long)mmap(NULL, PAGE, PROT_READ | PROT_EXEC, MAP_SHARED, file, 0), EACCES),
	      "mapped to be executed");
	check(failed((long)map(file, 5 * PAGE), ENXIO), "mapped beyond its end");
	check(mprotect(old, PAGE, PROT_READ | PROT_WRITE) && errno == EACCES, "made writable");

	/* The key gets another value, then none; the mapped value stays. */
	fill(buffer, length, 8);
	set(device, "key", buffer, PAGE);
	madvise(old, PAGE, MADV_DONTNEED);
	check(is_filled(old, length, 7), "mapped, and replaced");
	check(pread(file, other, length, 0) == (long)length && is_filled(other, length, 7),
	      "open, and replaced");
	close(file);
	file = open_value("key");
	new = map(file, PAGE);
	check(is_filled(new, PAGE, 8), "what replaced it, mapped");
	delete(device, "key");
	close(file);
	if (!fork()) {
		bool right = is_filled(old, length, 7) && is_filled(new, PAGE, 8);

		munmap(old, PAGE);
		_exit(right);
	}
	wait(&status);
	check(WIFEXITED(status) && WEXITSTATUS(status) == 1, "deleted and closed, in a child");
	check(is_filled(old, length, 7) && is_filled(new, PAGE, 8), "deleted and closed");
	munmap(old, 4 * PAGE);
	munmap(new, PAGE);
}

static void limits(int device)
{
	int keys, values = 0;
	char key[16], *mapped[KV_BYTES_MAX / KV_VALUE_MAX + 1];

	for (keys = 0; keys <= KV_KEYS_MAX; keys++) {
		snprintf(key, sizeof(key), "%d", keys);
		if (set(device, key, key, 1))
			break;
	}
	check(keys == KV_KEYS_MAX && errno == ENOSPC, "keys");
	check(!set(device, "7", "x", 1), "replaced in a full table");
	while (keys--) {
		snprintf(key, sizeof(key), "%d", keys);
		if (delete(device, key))
			check(false, "deleted from a full table");
	}

	/* Values without a key still count as long as they are mapped. */
	while (values <= KV_BYTES_MAX / KV_VALUE_MAX && !set(device, "key", buffer, KV_VALUE_MAX)) {
		int file = open_value("key");

		mapped[values++] = map(file, PAGE);
		close(file);
	}
	check(values == KV_BYTES_MAX / KV_VALUE_MAX && errno == ENOSPC, "bytes");
	check(failed(set(device, "small", "x", 1), ENOSPC), "one more byte");
	munmap(mapped[0], PAGE);
	check(!set(device, "small", "x", 1) && !delete(device, "small"), "unmapped");
	while (values-- > 1)
		munmap(mapped[values], PAGE);
	delete(device, "key");
}

static void nothing(int signal)
{
	(void)signal;
}

/* Sets, gets and deletes keys that other processes also use, under constant interruption. */
static int user(unsigned int seed, int rounds)
{
	struct itimerval often = { { 0, 1000 }, { 0, 1000 } };
	int device = open_device(O_RDWR);

	signal(SIGALRM, nothing);
	setitimer(ITIMER_REAL, &often, NULL);
	while (rounds--) {
		char key[2] = { 'a' + rand_r(&seed) % 4 };
		size_t length = rand_r(&seed) % 20000;
		long got;

		/* Every byte of a value depends on its length. */
		memset(buffer, length % 127, length);
		if (set(device, key, buffer, length))
			return 1;
		key[0] = 'a' + rand_r(&seed) % 4;
		got = get(device, key, other, sizeof(other));
		if (got < 0 && errno != ENOENT)
			return 2;
		for (long at = 0; at < got; at++)
			if (other[at] != got % 127)
				return 3;
		if (rounds % 5 == 0 && delete(device, key) && errno != ENOENT)
			return 4;
	}
	return 0;
}

static void users(int device)
{
	bool right = true;
	pid_t last = 0;
	int status;

	for (unsigned int seed = 1; seed <= 4; seed++) {
		last = fork();
		if (last < 0)
			exit(99);
		if (!last)
			_exit(user(seed, seed < 4 ? 150 : 1 << 30));
	}
	/* The last process runs until it is killed. */
	for (int ended = 0; ended < 3; ended++)
		right &= wait(&status) > 0 && WIFEXITED(status) && !WEXITSTATUS(status);
	check(right, "many at a time");
	kill(last, SIGKILL);
	check(wait(&status) == last && WIFSIGNALED(status), "killed");
	for (char key[2] = "a"; *key <= 'd'; (*key)++)
		delete(device, key);
}

/* Keys are inserted and deleted while they are listed. The others must each be listed once. */
static void listing(int device)
{
	static char text[1 << 16];
	int list = open("/proc/kalloc_kv", O_RDONLY), length = 0, got = 0, once = 0, gone = 0;
	char key[32], line[48];

	for (int i = 0; i < 400; i++) {
		snprintf(key, sizeof(key), "key-%03d", i);
		set(device, key, key, 3);
	}
	length = read(list, text, 100);
	/* Slots before and behind the reader become free, and other keys take them. */
	for (int i = 1; i < 400; i += 2) {
		snprintf(key, sizeof(key), "key-%03d", i);
		delete(device, key);
	}
	for (int i = 0; i < 50; i++) {
		snprintf(key, sizeof(key), "new-%03d", i);
		set(device, key, key, 3);
	}
	do {
		got = read(list, text + length, 999);
		length += got;
	} while (got > 0);
	for (int i = 0; i < 400; i += 2) {
		char *found;

		snprintf(line, sizeof(line), "\n3 key-%03d\n", i);
		found = strstr(text, line);
		once += found && !strstr(found + 1, line);
	}
	snprintf(line, sizeof(line), "\n3 key-%03d\n", 399);
	gone = !strstr(text, line);
	check(!strncmp(text, "# ", 2) && once == 200, "listed once");
	check(gone, "not listed any more");
	check(pread(list, text, 2, 0) == 2 && !memcmp(text, "# ", 2), "listed again");
	for (int i = 0; i < 400; i++) {
		snprintf(key, sizeof(key), "%s-%03d", i % 2 ? "new" : "key", i % 2 ? i / 2 : i);
		delete(device, key);
	}
	close(list);
}

static void leave_keys(int device)
{
	set(device, "alpha", buffer, 4097);
	set(device, "two words\\", buffer, 0);
	set(device, "\x1b[31m\xff\n", buffer, 1);
}

/* A freed slot is used again. */
static int churn(int device)
{
	bool right = !set(device, "kept", "x", 1);

	for (int i = 0; i < 3000 && right; i++)
		right = !set(device, "comes", "x", 1) && !delete(device, "comes");
	return !right;
}

/*
 * The last value is rejected; the earlier values remain. One key is deleted to make room for the
 * message.
 */
static int fill_store(int device)
{
	unsigned int count = 0;
	char key[16];
	int error;

	/*
	 * The program would be killed if an allocation of its own failed: it allocates all memory
	 * before.
	 */
	memset(other, 0, sizeof(other));
	for (;; count++) {
		snprintf(key, sizeof(key), "%u", count);
		fill(buffer, KV_VALUE_MAX, count);
		if (set(device, key, buffer, KV_VALUE_MAX))
			break;
	}
	error = errno;
	wrong += !failed(get(device, key, other, KV_VALUE_MAX), ENOENT);
	for (unsigned int i = 0; i < count; i++) {
		snprintf(key, sizeof(key), "%u", i);
		wrong += get(device, key, other, KV_VALUE_MAX) != KV_VALUE_MAX ||
			 !is_filled(other, KV_VALUE_MAX, i);
	}
	wrong += delete(device, key) != 0;
	printf("%u %s\n", count - 1, strerrorname_np(error));
	return wrong != 0;
}

static int hold(int device)
{
	char *value, end;

	fill(buffer, 2 * PAGE, 3);
	set(device, "held", buffer, 2 * PAGE);
	value = map(open_value("held"), 2 * PAGE);
	set(device, "held", "x", 1);
	for (int file = 3; file < 10; file++)
		close(file);
	puts(is_filled(value, 2 * PAGE, 3) ? "holding" : "WRONG");
	fflush(stdout);
	if (read(0, &end, 1))
		return 99;
	puts(is_filled(value, 2 * PAGE, 3) ? "held" : "WRONG");
	return 0;
}

/*
 * The status is the error of the key that could not be set, if any. The program must not touch a
 * new page when all memory is in use.
 */
static int turn_over(int device, int most)
{
	int keys, error = 0;
	char key[32];

	fill(other, sizeof(other), 0);
	for (keys = 0; keys < most && !error; keys++) {
		snprintf(key, sizeof(key), "%d-%d", getpid(), keys);
		fill(buffer, KV_VALUE_MAX, keys);
		if (set(device, key, buffer, KV_VALUE_MAX))
			error = errno;
	}
	for (keys -= !!error; keys--;) {
		snprintf(key, sizeof(key), "%d-%d", getpid(), keys);
		if (get(device, key, other, KV_VALUE_MAX) != KV_VALUE_MAX ||
		    !is_filled(other, KV_VALUE_MAX, keys) || delete(device, key))
			check(false, key);
	}
	return wrong ? 99 : error;
}

int main(int argc, char **argv)
{
	int device = open_device(O_RDWR);

	if (argc > 1 && !strcmp(argv[1], "hold"))
		return hold(device);
	if (argc > 1 && !strcmp(argv[1], "fill"))
		return fill_store(device);
	if (argc > 1 && !strcmp(argv[1], "churn"))
		return churn(device);
	if (argc > 1 && atoi(argv[1]))
		return turn_over(device, atoi(argv[1]));
	if (argc > 1) {
		leave_keys(device);
		return 0;
	}
	contents(device);
	mistakes(device);
	mapping(device);
	limits(device);
	users(device);
	listing(device);
	return wrong != 0;
}
