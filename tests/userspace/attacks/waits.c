// SPDX-License-Identifier: GPL-2.0-only
/* Processes that must end: by themselves, by a signal, or although another process does not end. */

#include <linux/userfaultfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>

#include "attacks.h"

/* limit SECONDS PROGRAM ARGUMENT...: runs a program with a time limit. */
int limit(char **arguments)
{
	int ms = 1000 * atoi(arguments[0]), status = 0;
	pid_t process = fork();

	if (process < 0)
		die("fork");
	if (!process) {
		setpgid(0, 0);
		execvp(arguments[1], arguments + 1);
		die(arguments[1]);
	}
	for (int waited = 0; waited < ms; waited += 10) {
		if (waitpid(process, &status, WNOHANG) == process)
			return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
		usleep(10000);
	}
	printf("no end after %d ms\n", ms);
	kill(-process, SIGKILL);
	if (ends(process, PATIENCE))
		return LATE;
	show_stack(process);
	return STUCK;
}

/*
 * killed PATH read|lseek OFFSET: an unprivileged process is in a system call on the file for half a
 * second, then gets SIGKILL. Prints the result of the call if it returned.
 */
int killed(char **arguments)
{
	off_t offset = atoll(arguments[2]);
	pid_t process = fork();
	char bytes[64];
	int file;
	long got;

	if (process < 0)
		die("fork");
	if (process) {
		if (!ends(process, 500)) {
			must_die(process, "reader");
			printf("SIGKILL\n");
		}
		return 0;
	}
	become_nobody();
	file = opened(arguments[0], O_RDONLY);
	if (!strcmp(arguments[1], "lseek"))
		got = lseek(file, offset, SEEK_SET);
	else
		got = pread(file, bytes, sizeof(bytes), offset);
	printf("%ld %s\n", got, got < 0 ? strerrorname_np(errno) : "");
	return 0;
}

static void ignored(int number)
{
	(void)number;
}

/* interrupted PATH: a signal with a handler also ends a read. */
int interrupted(char **arguments)
{
	struct sigaction action = { .sa_handler = ignored };
	pid_t process;
	char bytes[64];
	int file;

	sigaction(SIGUSR1, &action, NULL);
	process = fork();
	if (process < 0)
		die("fork");
	if (!process) {
		file = opened(arguments[0], O_RDONLY);
		if (read(file, bytes, sizeof(bytes)) < 0 && errno != EINTR)
			die("read");
		return 0;
	}
	for (int tries = 0; tries < 100; tries++) {
		usleep(20000);
		kill(process, SIGUSR1);
		if (ends(process, 20))
			return 0;
	}
	must_die(process, "reader");
	got_through("a read was not ended by a signal");
}

/* refused PATH: a write fails with an error that user space has a name for. */
int refused(char **arguments)
{
	int file = opened(arguments[0], O_WRONLY);
	ssize_t got = write(file, "x", 1);
	const char *name = strerrorname_np(errno);

	if (got >= 0 || !name)
		got_through("a write returned %zd, error %d", got, errno);
	printf("%s\n", name);
	return 0;
}

/*
 * pieces PATH: three processes read chunks of a file at the same time. Each chunk must be a part of
 * the whole.
 */
int pieces(char **arguments)
{
	static char whole[1 << 20], piece[1 << 17];
	const size_t sizes[] = { 1, 59, 61, 4096, 70001 };
	ssize_t length = 0, got;
	int status, file = opened(arguments[0], O_RDONLY);

	while ((got = read(file, whole + length, sizeof(whole) - length)) > 0)
		length += got;
	if (got || !length || length == sizeof(whole))
		got_through("the file has %zd bytes, error %s", length, strerrorname_np(errno));
	for (int reader = 0; reader < 3; reader++) {
		if (fork())
			continue;
		file = opened(arguments[0], O_RDONLY);
		srand(reader);
		for (int tries = 0; tries < 12; tries++) {
			size_t size = sizes[tries % 5];
			off_t at = rand() % (length + 10);

			got = pread(file, piece, size, at);
			if (got < 0 || (at < length && !got) || at + got > length)
				_exit(1);
			if (memcmp(piece, whole + at, got))
				_exit(2);
		}
		_exit(0);
	}
	while (wait(&status) > 0)
		if (status)
			got_through("a piece is none of the whole");
	return 0;
}

/*
 * shared PATH both|write|read FIRST SECOND: two processes share an open file. The first writes
 * FIRST, or reads if it is "-". The second uses the file meanwhile. SIGKILL must end the second at
 * once, and then the first.
 */
int shared(char **arguments)
{
	const char *mode = arguments[1], *first = arguments[2], *second = arguments[3];
	int flags = !strcmp(mode, "both") ? O_RDWR : !strcmp(mode, "write") ? O_WRONLY : O_RDONLY;
	int file = opened(arguments[0], flags);
	/* A fast machine ends the first within the longer ones. */
	static const useconds_t delays[] = { 100000, 30000, 10000 };
	static char bytes[70000];
	size_t attempt = 0;
	pid_t one, other;

again:
	one = fork();
	if (!one) {
		if (strcmp(first, "-"))
			_exit(write(file, first, strlen(first)) < 0);
		_exit(read(file, bytes, sizeof(bytes)) < 0);
	}
	usleep(delays[attempt]);
	other = fork();
	if (!other) {
		if (!strcmp(second, "read"))
			_exit(read(file, bytes, 100) < 0);
		if (!strcmp(second, "pread"))
			_exit(pread(file, bytes, 100, 0) < 0);
		if (!strcmp(second, "lseek"))
			_exit(lseek(file, 0, SEEK_SET) < 0);
		_exit(write(file, second, strlen(second)) < 0);
	}
	usleep(delays[attempt] / 3 * 2);
	if (ends(one, 0)) {
		kill(other, SIGKILL);
		must_die(other, "the second");
		if (++attempt < sizeof(delays) / sizeof(*delays))
			goto again;
		got_through("the first has ended before the second was killed: nothing was seen");
	}
	kill(other, SIGKILL);
	if (!ends(other, 1000)) {
		printf("the second waits for the first:\n");
		show_stack(other);
		must_die(one, "the first");
		must_die(other, "the second");
		return 1;
	}
	must_die(one, "the first");
	return 0;
}

/* Reads into, or writes from, memory whose page fault never completes. */
static void wait_for_memory(const char *path, bool reads)
{
	struct uffdio_api api = { .api = UFFD_API };
	struct uffdio_register area = { .mode = UFFDIO_REGISTER_MODE_MISSING };
	int faults = syscall(SYS_userfaultfd, O_CLOEXEC);
	void *page;
	int file;

	if (faults < 0 && access("/proc/sys/vm/unprivileged_userfaultfd", F_OK))
		_exit(LACKING);
	page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	area.range.start = (unsigned long)page;
	area.range.len = 4096;
	if (ioctl(faults, UFFDIO_API, &api) || ioctl(faults, UFFDIO_REGISTER, &area))
		die("userfaultfd");
	file = opened(path, reads ? O_RDONLY : O_WRONLY);
	if (reads)
		_exit(read(file, page, 4096) < 0);
	_exit(write(file, page, 20) < 0);
}

/*
 * stuck PATH read|write MODULE goes|waits: a process waits for a page fault in the middle of a
 * system call. The module is unloaded regardless, and other processes can list the directory. With
 * "waits", for a file in /proc, the module is unloaded as soon as the process is killed.
 */
int stuck(char **arguments)
{
	bool goes = !strcmp(arguments[3], "goes");
	pid_t reader = fork(), remover, lister;
	bool listed;
	int status;

	if (!reader)
		wait_for_memory(arguments[0], !strcmp(arguments[1], "read"));
	usleep(300000);
	if (waitpid(reader, &status, WNOHANG) == reader) {
		if (WIFEXITED(status) && WEXITSTATUS(status) == LACKING)
			return LACKING;
		got_through("the reader did not wait: status %#x", status);
	}
	remover = fork();
	if (!remover)
		_exit(syscall(SYS_delete_module, arguments[2], O_NONBLOCK) ? errno : 0);
	if (!ends(remover, goes ? 2000 : 300)) {
		printf("the module's removal waits for the reader\n");
		if (goes)
			show_stack(remover);
		lister = fork();
		if (!lister) {
			close(STDOUT_FILENO);
			_exit(execlp("ls", "ls", "/sys/kernel/debug/kalloc", "/proc", NULL));
		}
		listed = ends(lister, 2000);
		if (!listed) {
			printf("so does who lists the directory\n");
			goes = true;
		}
		must_die(reader, "the reader");
		if (!ends(remover, PATIENCE) || (!listed && !ends(lister, PATIENCE))) {
			printf("the module's removal does not end\n");
			return STUCK;
		}
		return goes;
	}
	must_die(reader, "the reader");
	return 0;
}
