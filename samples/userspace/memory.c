// SPDX-License-Identifier: GPL-2.0-only

#include "memory.h"
#include "table.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

/* The lowest 55 bits and the highest one: Documentation/admin-guide/mm/pagemap.rst */
#define PAGEMAP_FRAME (~0ull >> 9)
#define PAGEMAP_PRESENT (~0ull - (~0ull >> 1))

size_t page_size(void)
{
	return sysconf(_SC_PAGESIZE);
}

const char *unit_name(size_t bytes)
{
	static char name[32];

	if (bytes == 1)
		return "byte";
	if (bytes == page_size())
		return "page";
	snprintf(name, sizeof(name), "%zu_bytes", bytes);
	return name;
}

unsigned long long frame_of(const void *address)
{
	off_t at = (uintptr_t)address / page_size() * sizeof(unsigned long long);
	int pagemap = open("/proc/self/pagemap", O_RDONLY);
	unsigned long long entry;

	if (pagemap < 0)
		fail("/proc/self/pagemap: %s", strerror(errno));
	if (pread(pagemap, &entry, sizeof(entry), at) != sizeof(entry))
		fail("/proc/self/pagemap cannot be read");
	close(pagemap);
	if (!(entry & PAGEMAP_PRESENT))
		return 0;
	if (!(entry & PAGEMAP_FRAME))
		fail("/proc/self/pagemap shows no page frames: run this as root");
	return entry & PAGEMAP_FRAME;
}

size_t frames_present(const void *address, size_t pages)
{
	size_t present = 0;

	for (size_t page = 0; page < pages; page++)
		present += frame_of((const char *)address + page * page_size()) != 0;
	return present;
}

bool contiguous(const void *address, size_t pages)
{
	unsigned long long first = frame_of(address);

	for (size_t page = 0; page < pages; page++) {
		unsigned long long frame = frame_of((const char *)address + page * page_size());

		if (!frame)
			fail("page %zu of a block has no frame", page);
		if (frame != first + page)
			return false;
	}
	return true;
}

void touch(void *address, size_t pages)
{
	char *bytes = hidden(address);

	for (size_t page = 0; page < pages; page += 2)
		bytes[page * page_size()] = 1;
	for (size_t page = 1; page < pages; page += 2)
		bytes[page * page_size()] = 1;
}

bool is_zero(const void *address, size_t size)
{
	const char *bytes = address;

	for (size_t at = 0; at < size; at++)
		if (bytes[at])
			return false;
	return true;
}

static const char *kind_of(const char *name)
{
	if (!*name)
		return "anonymous";
	if (!strcmp(name, "[heap]"))
		return "heap";
	if (!strcmp(name, "[stack]"))
		return "stack";
	return *name == '/' ? "file" : "other";
}

struct area area_of(const void *address)
{
	uintptr_t wanted = (uintptr_t)address;
	struct area area = { .kind = "none" };
	FILE *maps = fopen("/proc/self/maps", "r");
	char line[512];

	if (!maps)
		fail("/proc/self/maps: %s", strerror(errno));
	while (fgets(line, sizeof(line), maps)) {
		uintptr_t start, end;
		int name = 0;

		line[strcspn(line, "\n")] = '\0';
		if (sscanf(line, "%lx-%lx %*s %*s %*s %*s %n", &start, &end, &name) < 2)
			fail("/proc/self/maps: invalid line: %s", line);
		if (start <= wanted && wanted < end) {
			area = (struct area){ start, end, kind_of(name ? line + name : "") };
			break;
		}
	}
	fclose(maps);
	return area;
}

/* Exits on a signal. The kernel would log a process that dies of an unhandled signal. */
static void end(int signal)
{
	_exit(signal);
}

int signal_of(void (*body)(void *arg), void *arg)
{
	/* The stack itself may be the inaccessible memory. */
	static char other_stack[1 << 16];
	stack_t stack = { .ss_sp = other_stack, .ss_size = sizeof(other_stack) };
	struct sigaction action = { .sa_handler = end, .sa_flags = SA_ONSTACK };
	int status;
	pid_t child = fork();

	if (child < 0)
		fail("fork: %s", strerror(errno));
	if (!child) {
		if (sigaltstack(&stack, NULL) || sigaction(SIGSEGV, &action, NULL) ||
		    sigaction(SIGBUS, &action, NULL))
			_exit(255);
		body(arg);
		_exit(0);
	}
	if (waitpid(child, &status, 0) != child || !WIFEXITED(status) || WEXITSTATUS(status) == 255)
		fail("a child process failed");
	return WEXITSTATUS(status);
}

static void read_byte(void *address)
{
	__asm__ volatile("" : : "r"(*(char *)address));
}

static void write_byte(void *address)
{
	*(char *)hidden(address) = 1;
}

const char *after_access(void *address, enum access access)
{
	switch (signal_of(access == WRITE ? write_byte : read_byte, address)) {
	case 0:
		return "ok";
	case SIGBUS:
		return "SIGBUS";
	default:
		return "SIGSEGV";
	}
}

void set_limit(int resource, size_t bytes)
{
	struct rlimit limit = { bytes, bytes };

	if (setrlimit(resource, &limit))
		fail("setrlimit: %s", strerror(errno));
}

size_t largest(bool (*fits)(size_t size), size_t limit)
{
	size_t low = 0, high = limit;

	while (low < high) {
		size_t middle = high - (high - low) / 2;

		if (fits(middle))
			low = middle;
		else
			high = middle - 1;
	}
	return low;
}

const char *errno_name(int error)
{
	switch (error) {
	case EACCES:
		return "EACCES";
	case EINVAL:
		return "EINVAL";
	case ENOMEM:
		return "ENOMEM";
	case ENXIO:
		return "ENXIO";
	case EPERM:
		return "EPERM";
	default:
		return "other";
	}
}
