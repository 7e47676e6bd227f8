// SPDX-License-Identifier: GPL-2.0-only
/*
 * Loading and unloading of modules while other processes read and write their files, and have them
 * open or mapped.
 */

#include <sys/ioctl.h>
#include <sys/mman.h>

#include "fuzz.h"
#include "kalloc_kv.h"

static void read_a_file(const char *path)
{
	char text[777];
	int file = open(path, O_RDONLY);

	for (int i = 0; file >= 0 && i < 20; i++) {
		if (read(file, text, 1 + below(sizeof(text))) <= 0)
			lseek(file, 0, SEEK_SET);
		__atomic_add_fetch(&tally->reads, 1, __ATOMIC_RELAXED);
	}
	if (file >= 0)
		close(file);
}

static void reader(void)
{
	static const char * const paths[] = {
		"/proc/kallocinfo", "/proc/kalloc_kv", DEBUG "sites", DEBUG "sites.json",
		DEBUG "layout", EXERCISE, "/sys/module/kalloc_exercise/refcnt", "/proc/modules",
	};

	read_a_file(paths[below(NUMBER(paths))]);
	sleep_us(below(2000));
}

static void writer(void)
{
	int file = open(EXERCISE, O_WRONLY);

	if (file >= 0) {
		input(write(file, "all count=3 size=100 keep=2", 27));
		close(file);
	}
	sleep_us(below(5000));
}

static void mapper(void)
{
	struct kv_request request = {
		.key = (unsigned long)"race", .key_len = 4,
		.value = (unsigned long)edge(100), .value_len = 100,
	};
	int device = open("/dev/kalloc_map", O_RDWR), other = open("/dev/kalloc_kv", O_RDWR);
	void *at = mmap(NULL, 2 * PAGE, PROT_READ, MAP_SHARED, device, 0);

	if (at != MAP_FAILED) {
		(void)__atomic_load_n((char *)at, __ATOMIC_RELAXED);
		input(write(device, "renew", 5));
		munmap(at, 2 * PAGE);
	}
	if (device >= 0)
		close(device);
	if (other >= 0) {
		input(ioctl(other, KV_SET, &request));
		input(ioctl(other, KV_OPEN, &request));
		close(other);
	}
	sleep_us(below(5000));
}

/*
 * Keeps files open while their modules are unloaded. The files then return nothing, and can be
 * closed.
 */
static void held_open(void)
{
	static const char * const paths[] = {
		"/proc/kallocinfo", "/proc/kalloc_kv", EXERCISE, DEBUG "layout", DEBUG "sites",
	};
	int files[NUMBER(paths)];
	char byte;

	for (size_t i = 0; i < NUMBER(paths); i++) {
		files[i] = open(paths[i], O_RDONLY);
		if (read(files[i], &byte, 1) != 1)
			wrong("%s: %s", paths[i], strerror(errno));
	}
	/* Files in debugfs belong to kalloc.ko, which an open file pins. */
	for (unsigned int i = 0; i < SAMPLES; i++)
		if (unload(samples[i]))
			wrong("%s is kept by a file", samples[i]);
	if (unload("kalloc") != -EWOULDBLOCK)
		wrong("kalloc is not kept by files in debugfs");
	for (size_t i = 0; i < NUMBER(paths); i++) {
		bool gone = i && i < 4;

		lseek(files[i], 0, SEEK_SET);
		if ((read(files[i], &byte, 1) == 1) == gone)
			wrong("%s, whose module is %s, can%s be read", paths[i],
			      gone ? "gone" : "there", gone ? "" : "not");
		close(files[i]);
	}
	load_all("");
}

void races(void)
{
	void (*const works[])(void) = { reader, reader, writer, mapper };
	pid_t children[NUMBER(works)];
	unsigned int rounds = patient ? 40 : 1;

	held_open();
	for (unsigned int i = 0; i < NUMBER(works); i++)
		children[i] = start(works[i]);
	while (rounds--) {
		sleep_us(below(20000));
		unload_all(false);
		sleep_us(below(5000));
		load_all("");
	}
	for (unsigned int i = 0; i < NUMBER(works); i++)
		end(children[i], SIGKILL, "a race");
	/* No process remains that could pin a module. */
	unload_all(true);
	load_all("");
}
