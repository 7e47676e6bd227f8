// SPDX-License-Identifier: GPL-2.0-only
/*
 * Processes whose page faults never complete, and processes that wait for others. Modules are
 * unloaded regardless, and SIGKILL ends each waiting process at once.
 */

#include <linux/userfaultfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "fuzz.h"

/* The time in ms within which a module is unloaded if it waits for no process. */
#define LONGEST 3000
/* The time in ms after which a module that is still loaded is known to wait for a process. */
#define SHORTEST 300

/* Returns a page whose fault never completes. */
static char *never(void)
{
	int file = syscall(SYS_userfaultfd, O_CLOEXEC);
	struct uffdio_api api = { .api = UFFD_API };
	char *page = mmap(NULL, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	struct uffdio_register missing = {
		.range = { (unsigned long)page, PAGE },
		.mode = UFFDIO_REGISTER_MODE_MISSING,
	};

	if (file < 0 || page == MAP_FAILED || ioctl(file, UFFDIO_API, &api) ||
	    ioctl(file, UFFDIO_REGISTER, &missing))
		die("userfaultfd");
	return page;
}

static bool is_stuck(pid_t child)
{
	char path[40], at[40] = "";
	FILE *file;

	snprintf(path, sizeof(path), "/proc/%d/wchan", child);
	file = fopen(path, "r");
	if (!file || fscanf(file, "%39s", at) != 1)
		wrong("%s: %s", path, strerror(errno));
	if (file)
		fclose(file);
	return !strcmp(at, "handle_userfault");
}

/* Starts a process that reads a file to such a page, or writes from there, and is then stuck. */
static pid_t start_stuck(const char *path, bool writes)
{
	pid_t child = fork();
	int file, error;
	char *page;

	if (child < 0)
		die("fork");
	if (!child) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		file = open(path, writes ? O_WRONLY : O_RDONLY);
		page = never();
		error = writes ? write(file, page, 20) : read(file, page, PAGE);
		wrong("%s: %d (%s) with memory that never comes", path, error, strerror(errno));
		_exit(0);
	}
	while (!is_stuck(child) && !has_ended(child))
		sleep_us(1000);
	return child;
}

/* Waits until a process has ended, for at most @ms milliseconds. */
static bool ends_within(pid_t child, unsigned long ms)
{
	unsigned long start = now_ms();

	while (!has_ended(child)) {
		if (now_ms() - start > ms)
			return false;
		sleep_us(1000);
	}
	return true;
}

/*
 * Unloads a module while a process is stuck in a call on its file. The unloading waits for the
 * process, or does not.
 */
static void goes(const char *path, bool writes, const char *module, bool waits_for_it)
{
	pid_t child = start_stuck(path, writes), other;
	int status;

	__atomic_add_fetch(&tally->stuck, 1, __ATOMIC_RELAXED);
	/* If it waits, no signal ends the unloading process. */
	other = fork();
	if (!other)
		_exit(-unload(module));
	if (ends_within(other, waits_for_it ? SHORTEST : LONGEST) == waits_for_it)
		wrong("%s, whose file %s is being %s, %s", module, path,
		      writes ? "written" : "read", waits_for_it ? "goes" : "stays");
	end(child, SIGKILL, path);
	if (waitpid(other, &status, 0) != other || status)
		wrong("%s is not unloaded: status %#x", module, status);
	load_all("");
}

/* A file that is open in two processes. */
static int shared;

static void write_shared_command(void)
{
	static const char text[] = "all count=100000 size=10000";

	input(write(shared, text, strlen(text)));
	_exit(0);
}

static void write_shared(void)
{
	input(write(shared, "free", 4));
}

static void read_shared(void)
{
	char text[PAGE];

	if (read(shared, text, sizeof(text)) < 0)
		wrong("shared: %s", strerror(errno));
}

static void read_shared_once(void)
{
	read_shared();
	_exit(0);
}

static void pread_shared(void)
{
	char text[PAGE];

	if (pread(shared, text, sizeof(text), 0) < 0)
		wrong("shared: %s", strerror(errno));
}

static void lseek_shared(void)
{
	if (lseek(shared, 0, SEEK_SET))
		wrong("shared: %s", strerror(errno));
}

/*
 * Starts a process that works on the shared file, and kills another one that uses the file
 * meanwhile. Returns whether the first one was still running when the other ended.
 */
static bool shares(void (*work)(void), const char *sites, void (*other)(void), const char *what)
{
	unsigned long before = allocated(sites), then;
	pid_t at_work = start(work), child;
	bool still;

	while (allocated(sites) == before && !has_ended(at_work))
		;
	child = start(other);
	sleep_us(50000);
	then = now_ms();
	end(child, SIGKILL, what);
	/*
	 * If the process had waited for the other one, that one would be done now and would end
	 * soon.
	 */
	sleep_us((now_ms() - then) * 250);
	still = !has_ended(at_work);
	if (still)
		kill(at_work, SIGKILL);
	waitpid(at_work, NULL, 0);
	return still;
}

static void share(void)
{
	static const struct {
		const char *name;
		void (*call)(void);
	} calls[] = {
		{ "a shared file, write", write_shared }, { "a shared file, read", read_shared },
		{ "a shared file, pread", pread_shared }, { "a shared file, lseek", lseek_shared },
	};
	bool still = true;

	shared = open(EXERCISE, O_RDWR);
	for (size_t i = 0; still && i < NUMBER(calls); i++) {
		still = shares(write_shared_command, "exercise_", calls[i].call, calls[i].name);
		if (!still)
			wrong("%s: waits for a command, and is not killed before", calls[i].name);
	}
	close(shared);
	still = false;
	/* A measurement takes up to a second; a recent one is shown at once. */
	for (int i = 0; !still && i < 4; i++) {
		sleep_us(i ? 1100000 : 0);
		shared = open(COMPARE, O_RDONLY);
		still = shares(read_shared_once, "compare_", read_shared, "a shared comparison");
		close(shared);
	}
	if (!still)
		wrong("a shared comparison: waits for another reader, and is not killed before");
}

void stuck(void)
{
	share();
	/* Not all kernels have userfaultfd. */
	if (access("/proc/sys/vm/unprivileged_userfaultfd", F_OK))
		return;
	goes(EXERCISE, false, "kalloc_exercise", false);
	goes(EXERCISE, true, "kalloc_exercise", false);
	goes(DEBUG "layout", false, "kalloc_compare", false);
	/* As in Documentation/explanation/security.rst. */
	goes("/proc/kalloc_kv", false, "kalloc_kv", true);
}
