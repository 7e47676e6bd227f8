// SPDX-License-Identifier: GPL-2.0-only
/*
 * All events in the life of a mapping of /dev/kalloc_map. Prints a line for each case, "ok" or
 * "WRONG" and its name; the status is the number of errors.
 *
 * With "child" or "alone": maps the last block, closes the device, and prints a line. It then waits
 * for the end of its standard input, with a child process or without one, and exits; the kernel
 * removes the mapping. With "twice": tests /dev/kalloc_mmap_twice.
 */

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#define PAGE ((unsigned long)sysconf(_SC_PAGESIZE))
#define SPAN (16 * PAGE)
#define BLOCKS 5

static const unsigned long pages[BLOCKS] = { 2, 2, 4, 4, 13 };
static const char * const names[BLOCKS] = {
	"kmalloc", "cache", "pages", "free_pages", "vmalloc",
};

static int wrong;

static void check(bool right, const char *name)
{
	printf("%s %s\n", right ? "ok" : "WRONG", name);
	wrong += !right;
}

static int open_device(void)
{
	int device = open("/dev/kalloc_map", O_RDWR);

	if (device < 0) {
		perror("/dev/kalloc_map");
		exit(99);
	}
	return device;
}

/*
 * Returns the first word of a block: the first four letters of its name, and the number of
 * renewals.
 */
static unsigned long first_word(int block, unsigned long age)
{
	unsigned long name = 0;

	for (int i = 0; i < 4; i++)
		name = name << 8 | (unsigned char)names[block][i];
	return name << 32 | age << 20;
}

/* Returns whether @count pages at @at are those of the block from @page on. */
static bool shows(const unsigned long *at, int block, unsigned long age, unsigned long page,
		  unsigned long count)
{
	for (unsigned long i = 0; i < count * PAGE / 8; i++)
		if (at[i] != first_word(block, age) + page * PAGE + i * 8)
			return false;
	return true;
}

static void *map_pages(int device, int block, unsigned long page, unsigned long count)
{
	return mmap(NULL, count * PAGE, PROT_READ, MAP_SHARED, device, block * SPAN + page * PAGE);
}

/* Returns whether the request fails with this errno. */
static bool refused(int device, unsigned long offset, unsigned long length, int protection,
		    int flags, int error)
{
	return mmap(NULL, length, protection, flags, device, offset) == MAP_FAILED &&
	       errno == error;
}

static void bounds(int device)
{
	for (int block = 0; block < BLOCKS; block++) {
		unsigned long all = pages[block], at = block * SPAN;
		char *part = map_pages(device, block, all - 1, 1);

		check(part != MAP_FAILED && shows((void *)part, block, 0, all - 1, 1), "last page");
		munmap(part, PAGE);
		check(refused(device, at, (all + 1) * PAGE, PROT_READ, MAP_SHARED, ENXIO),
		      "longer than the block");
		check(refused(device, at + PAGE, all * PAGE, PROT_READ, MAP_SHARED, ENXIO),
		      "beyond the end");
		check(refused(device, at + all * PAGE, PAGE, PROT_READ, MAP_SHARED, ENXIO),
		      "behind the end");
		check(refused(device, at, PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, EACCES),
		      "writable");
		check(refused(device, at, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE, EACCES),
		      "writable and private");
		check(refused(device, at, PAGE, PROT_READ | PROT_EXEC, MAP_SHARED, EACCES),
		      "executable");
		check(refused(device, at, PAGE, PROT_EXEC, MAP_PRIVATE, EACCES),
		      "executable and private");
	}
	check(write(device, "new", 3) < 0 && errno == EINVAL, "no such command");
	check(read(device, (void *)PAGE, 9) < 0 && errno == EFAULT, "read to nowhere");
	check(refused(device, BLOCKS * SPAN, PAGE, PROT_READ, MAP_SHARED, ENXIO), "no such block");
	check(refused(device, ~0ul / 2 & ~(PAGE - 1), PAGE, PROT_READ, MAP_SHARED, ENXIO) ||
	      errno == EOVERFLOW, "far away");
}

static void changes(int device, int block)
{
	unsigned long all = pages[block], *mapping = map_pages(device, block, 0, all), *moved;
	struct iovec iovec = { mapping, PAGE };
	int out[2], memory;
	char *room;

	check(shows(mapping, block, 0, 0, all), "contents");
	check(mprotect(mapping, PAGE, PROT_READ | PROT_WRITE) && errno == EACCES, "made writable");
	check(mprotect(mapping, PAGE, PROT_READ | PROT_EXEC) && errno == EACCES, "made executable");
	check(mremap(mapping, all * PAGE, (all + 1) * PAGE, MREMAP_MAYMOVE) == MAP_FAILED, "grown");
	check(mremap(mapping, 0, PAGE, MREMAP_MAYMOVE) == MAP_FAILED, "doubled");
	check(madvise(mapping, PAGE, MADV_DODUMP) && errno == EINVAL, "dumped");

	/* A page is accessible only through the mapping. */
	if (pipe(out))
		exit(99);
	check(vmsplice(out[1], &iovec, 1, 0) < 0 && errno == EFAULT, "pinned");
	memory = open("/proc/self/mem", O_RDWR);
	check(pwrite(memory, "x", 1, (off_t)mapping) < 0, "written by force");
	close(memory);
	close(out[0]);
	close(out[1]);

	/* The pages are unmapped, and mapped again on access. */
	check(!madvise(mapping, all * PAGE, MADV_DONTNEED) && shows(mapping, block, 0, 0, all),
	      "taken out");
	room = mmap(NULL, all * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	moved = mremap(mapping, all * PAGE, all * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, room);
	check(moved == (void *)room && shows(moved, block, 0, 0, all), "moved");
	munmap((char *)moved + PAGE, PAGE);
	check(shows(moved, block, 0, 0, 1), "split, before the gap");
	if (all > 2) {
		madvise((char *)moved + 2 * PAGE, PAGE, MADV_DONTNEED);
		check(shows(moved + PAGE / 4, block, 0, 2, all - 2), "split, behind the gap");
	}
	munmap(moved, all * PAGE);
}

/* Maps, makes the device drop its blocks, and closes it; a child outlives the parent's mapping. */
static void ownership(void)
{
	void *mappings[BLOCKS], *fresh;
	int device = open_device(), status;
	pid_t child;

	for (int block = 0; block < BLOCKS; block++)
		mappings[block] = map_pages(device, block, 0, pages[block]);
	for (int times = 0; times < 20; times++)
		if (write(device, "renew", 5) != 5)
			exit(99);
	fresh = map_pages(device, BLOCKS - 1, 0, 1);
	check(shows(fresh, BLOCKS - 1, 20, 0, 1), "new block");
	close(device);
	/* Most pages are first touched by the child, or after it has started. */
	child = fork();
	if (!child) {
		bool all = true;

		for (int block = 0; block < BLOCKS; block++) {
			all &= shows(mappings[block], block, 0, 0, pages[block]);
			/* Half of the mappings are unmapped, the others remain until exit. */
			if (block % 2)
				munmap(mappings[block], PAGE);
		}
		_exit(all);
	}
	for (int block = 0; block < BLOCKS; block += 2)
		munmap(mappings[block], pages[block] * PAGE);
	if (waitpid(child, &status, 0) != child)
		exit(99);
	check(WIFEXITED(status) && WEXITSTATUS(status) == 1, "given up, in a child");
	for (int block = 1; block < BLOCKS; block += 2)
		check(shows(mappings[block], block, 0, 0, pages[block]), "given up, in the parent");
	/* Another mapping replaces one. */
	fresh = mmap(mappings[1], pages[1] * PAGE, PROT_READ | PROT_WRITE,
		     MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
	check(fresh == mappings[1] && !*(char *)fresh, "replaced");
}

/*
 * Of two blocks that are mapped into one area, the first is visible, and it stays after the file is
 * closed. Only areas that the driver permits can be executable. A mapping that fails after its
 * preparation keeps no memory: each file frees its blocks.
 */
static int twice(void)
{
	int device = open("/dev/kalloc_mmap_twice", O_RDONLY);
	const char *ones = mmap(NULL, PAGE, PROT_READ, MAP_SHARED, device, 0);
	const char *twos = mmap(NULL, PAGE, PROT_READ, MAP_SHARED, device, 2 * PAGE);
	char told[16] = "";
	int code;

	if (read(device, told, sizeof(told) - 1) < 0)
		return 99;
	printf("%s%d %d %d\n", told, ones[0], ones[PAGE - 1], twos[PAGE - 1]);
	printf("executable %d %d\n",
	       !refused(device, 0, PAGE, PROT_READ | PROT_EXEC, MAP_SHARED, EACCES),
	       !refused(device, PAGE, PAGE, PROT_READ | PROT_EXEC, MAP_SHARED, ENODEV));
	close(device);
	for (int times = 0; times < 20; times++) {
		code = open("/dev/kalloc_mmap_twice", O_RDONLY);
		if (!refused(code, 3 * PAGE, PAGE, PROT_READ, MAP_SHARED, ENOSPC))
			return 98;
		close(code);
	}
	munmap((void *)twos, PAGE);
	fflush(stdout);
	return system("awk '/^twice_/ { print $2 }' /proc/kallocinfo");
}

static int hold(const char *how)
{
	unsigned long *mapping = map_pages(open_device(), BLOCKS - 1, 0, pages[BLOCKS - 1]);
	char end;

	/* The mapping keeps the file open, whichever descriptors are closed. */
	for (int file = 3; file < 10; file++)
		close(file);
	if (!strcmp(how, "child") && fork() > 0)
		_exit(0);
	printf("%s\n", shows(mapping, BLOCKS - 1, 0, 0, 1) ? "holding" : "WRONG");
	fflush(stdout);
	if (read(0, &end, 1))
		return 99;
	printf("%s\n", shows(mapping, BLOCKS - 1, 0, 0, pages[BLOCKS - 1]) ? "held" : "WRONG");
	return 0;
}

int main(int argc, char **argv)
{
	int device;

	if (argc > 1)
		return strcmp(argv[1], "twice") ? hold(argv[1]) : twice();
	device = open_device();
	bounds(device);
	for (int block = 0; block < BLOCKS; block++)
		changes(device, block);
	close(device);
	ownership();
	return wrong != 0;
}
