// SPDX-License-Identifier: GPL-2.0-only
/*
 * Mappings of both devices, and all operations on them. A readable page must show the same contents
 * as before.
 */

#include <setjmp.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/uio.h>
#include <sys/wait.h>

#include "fuzz.h"
#include "kalloc_kv.h"

static sigjmp_buf fault;

static void faulted(int signal)
{
	siglongjmp(fault, signal);
}

/* Returns whether the byte can be read. */
static bool touch(const char *at)
{
	if (sigsetjmp(fault, 1))
		return false;
	(void)__atomic_load_n(at, __ATOMIC_RELAXED);
	return true;
}

static off_t any_offset(void)
{
	if (one_in(4))
		return edge_number();
	if (one_in(2))
		/* The offsets at which blocks begin. */
		return below(6) * 16 * PAGE;
	return below(70) * PAGE + (one_in(12) ? below(PAGE) : 0);
}

static size_t any_size(void)
{
	if (one_in(6))
		return edge_number();
	return (1 + below(one_in(2) ? 2 : 14)) * PAGE - (one_in(6) ? below(PAGE) : 0);
}

static char *any_mapping(int device, size_t *size)
{
	static const int flags[] = {
		MAP_SHARED, MAP_SHARED, MAP_PRIVATE, MAP_SHARED_VALIDATE,
		MAP_SHARED | MAP_POPULATE, MAP_SHARED | MAP_LOCKED, MAP_PRIVATE | MAP_NORESERVE,
		MAP_SHARED_VALIDATE | MAP_SYNC, MAP_PRIVATE | MAP_GROWSDOWN,
		MAP_SHARED | MAP_HUGETLB,
	};
	int protection = one_in(3) ? (int)below(8) : PROT_READ;
	void *where = one_in(10) ? any_address() : NULL;
	int chosen = flags[below(NUMBER(flags))];
	char *at;

	*size = any_size();
	at = mmap(where, *size, protection, chosen, device, any_offset());
	input(at == MAP_FAILED ? -1 : 0);
	if (at != MAP_FAILED && protection & PROT_WRITE)
		wrong("mapped for writing: %#x", chosen);
	if (at != MAP_FAILED && protection & PROT_EXEC)
		wrong("mapped for execution: %#x", chosen);
	return at == MAP_FAILED ? NULL : at;
}

/* Passes the mapping to system calls that take memory. */
static void hand_on(char *at, int device)
{
	struct kv_request request = {
		.key = (unsigned long)at, .key_len = 8,
		.value = (unsigned long)at, .value_len = PAGE,
	};
	struct iovec vector = { at, PAGE }, here = { edge(PAGE), PAGE };
	int ends[2];

	input(ioctl(device, one_in(2) ? KV_GET : KV_DELETE, one_in(2) ? (void *)at : &request));
	if (pipe2(ends, O_NONBLOCK))
		die("pipe");
	input(write(ends[1], at, below(2 * PAGE)));
	/* A pinned page would outlive its block. */
	if (input(vmsplice(ends[1], &vector, 1, SPLICE_F_NONBLOCK)) > 0)
		wrong("a page was pinned");
	/* Nothing may write to the mapping. */
	if (input(read(ends[0], at, 8)) > 0)
		wrong("written by read");
	close(ends[0]);
	close(ends[1]);
	input(process_vm_readv(getpid(), &here, 1, &vector, 1, 0));
	if (input(process_vm_writev(getpid(), &here, 1, &vector, 1, 0)) > 0)
		wrong("written by process_vm_writev");
}

/*
 * Reserves the unmapped range. Otherwise the memory of another mapping could take its place, and
 * later operations would modify that memory.
 */
static void vacate(char *at, size_t size)
{
	int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED;

	if (mmap(at, size, PROT_NONE, flags, -1, 0) == MAP_FAILED)
		die("vacate");
}

/* Runs one of many operations. Returns whether the first page is still the device's. */
static bool change(char *at, size_t size, int device)
{
	/* All kinds of advice except those that declare memory broken. */
	static const int advice[] = {
		0, 1, 2, 3, 4, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25,
	};
	size_t part = below(size / PAGE + 1) * PAGE, other = any_size();
	void *moved;

	switch (below(9)) {
	case 0:
		input(madvise(at + part, any_size(), advice[below(NUMBER(advice))]));
		break;
	case 1:
		if (!input(mprotect(at, PAGE, PROT_READ | PROT_WRITE)))
			wrong("made writable");
		if (!input(mprotect(at, PAGE, PROT_READ | PROT_EXEC)))
			wrong("made executable");
		input(mprotect(at + part, PAGE, one_in(2) ? PROT_NONE : PROT_READ));
		break;
	case 2:
		moved = mremap(at, size, other,
			       MREMAP_MAYMOVE | (one_in(2) ? MREMAP_DONTUNMAP : 0));
		input(moved == MAP_FAILED ? -1 : 0);
		if (moved == MAP_FAILED)
			break;
		munmap(moved, other);
		return false;
	case 3:
		if (part >= size)
			break;
		input(munmap(at + part, PAGE));
		vacate(at + part, PAGE);
		return part;
	case 4:
		input(mlock(at, size));
		input(munlock(at, size));
		break;
	case 5:
		input(msync(at, size, below(8)));
		break;
	case 6:
		if (!fork())
			_exit(touch(at) + touch(at + part));
		break;
	case 7:
		hand_on(at, device);
		break;
	default:
		touch(at + part);
	}
	return true;
}

int any_device(void)
{
	struct kv_request request = { .key = (unsigned long)"map", .key_len = 3 };
	int device;

	if (one_in(2))
		return open("/dev/kalloc_map", O_RDWR);
	device = open("/dev/kalloc_kv", O_RDWR);
	request.value = (unsigned long)edge(KV_VALUE_MAX);
	request.value_len = below(KV_VALUE_MAX);
	input(ioctl(device, KV_SET, &request));
	request.flags = 0;
	input(ioctl(device, KV_OPEN, &request));
	return device;
}

static void tell(int device)
{
	static const char * const texts[] = {
		"renew", "renew\n", "renew ", "renewed", "", "\xff", "ren",
	};
	const char *text = texts[below(NUMBER(texts))];
	char room[300];

	input(write(device, text, strlen(text)));
	input(write(device, any_address(), below(10)));
	input(pwrite(device, "renew", 5, any_offset()));
	input(pread(device, room, below(sizeof(room)), any_offset()));
	input(read(device, any_address(), below(EDGE)));
	input(ioctl(device, any(), any_address()));
}

static void some_mappings(void)
{
	int device = any_device();

	if (device < 0)
		die("device");
	for (int i = 0; i < 6; i++) {
		size_t size;
		char *at = any_mapping(device, &size);

		for (int j = 0; at && j < 6 && change(at, size, device); j++)
			;
		if (one_in(3))
			tell(device);
	}
	if (one_in(2))
		close(device);
}

/* Renews the device's blocks and keeps the old ones, as often as the device permits. */
static void hoard(void)
{
	int device = open("/dev/kalloc_map", O_RDWR);

	for (int times = 0; times < 200; times++) {
		void *at = mmap(NULL, PAGE, PROT_READ, MAP_SHARED, device, 4 * 16 * PAGE);

		if (at == MAP_FAILED)
			wrong("nothing to map: %s", strerror(errno));
		if (input(write(device, "renew", 5)) < 0) {
			if (errno != ENOSPC)
				wrong("renew: %s", strerror(errno));
			/* The kernel unmaps all areas except this one at exit. */
			munmap(at, PAGE);
			close(device);
			return;
		}
	}
	wrong("there is no limit to what is mapped");
}

/* Runs in a process of its own, whose remaining mappings the kernel removes. */
void maps(void)
{
	static unsigned int times;
	bool hoards = times++ % 8 == 0;
	unsigned long seed = any();
	pid_t child = fork();
	int status;

	if (child < 0)
		die("fork");
	if (!child) {
		struct sigaction action = { .sa_handler = faulted };

		sigaction(SIGSEGV, &action, NULL);
		sigaction(SIGBUS, &action, NULL);
		signal(SIGCHLD, SIG_IGN);
		seed_random(seed);
		if (hoards)
			hoard();
		else if (!sigsetjmp(fault, 1))
			some_mappings();
		while (waitpid(-1, &status, 0) > 0)
			;
		_exit(0);
	}
	if (waitpid(child, &status, 0) != child)
		die("wait");
	if (status)
		wrong("mappings: status %#x", status);
}
