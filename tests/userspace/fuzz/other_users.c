// SPDX-License-Identifier: GPL-2.0-only
/*
 * Root of a user namespace, with all capabilities in it. For the modules, it is an unprivileged
 * user.
 */

#include <grp.h>
#include <linux/capability.h>
#include <sched.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>

#include "fuzz.h"

/* Checks that a call fails with one of two errors. */
static void must_fail(const char *what, long result, int error, int other)
{
	if (input(result) >= 0 || (errno != error && errno != other))
		wrong("%s: %ld (%s)", what, result, strerror(errno));
}

static void write_text(const char *path, const char *text)
{
	int file = open(path, O_WRONLY);

	if (file < 0 || write(file, text, strlen(text)) != (long)strlen(text))
		die(path);
	close(file);
}

static void open_all(const char *const *paths, size_t number)
{
	static const int modes[] = { O_RDONLY, O_WRONLY, O_RDWR };

	for (size_t i = 0; i < number; i++) {
		for (size_t mode = 0; mode < NUMBER(modes); mode++)
			must_fail(paths[i], open(paths[i], modes[mode]), EACCES, EPERM);
		must_fail(paths[i], chmod(paths[i], 0666), EPERM, EACCES);
		must_fail(paths[i], chown(paths[i], 0, 0), EPERM, EINVAL);
	}
}

/* Runs with a PID namespace and a /proc of its own. */
static void in_a_namespace(dev_t device)
{
	static const char * const files[] = {
		"/proc/kallocinfo", "/proc/kalloc_kv", "/dev/kalloc_kv", "/dev/kalloc_map",
		"/seen/sites", "/seen/sites.json", "/seen/exercise", "/seen/compare",
		"/seen/layout",
	};
	int error;

	open_all(files, NUMBER(files));
	if (mount("proc", "/proc", "proc", 0, NULL))
		die("/proc");
	open_all(files, 2);
	must_fail("debugfs", mount("debug", "/tmp", "debugfs", 0, NULL), EPERM, EACCES);
	must_fail("mknod", mknod("/tmp/device", S_IFCHR | 0666, device), EPERM, EACCES);
	error = unload("kalloc_kv");
	if (error != -EPERM)
		wrong("unload: %s", strerror(-error));
	error = load("kalloc_exercise", "");
	if (error != -EPERM)
		wrong("load: %s", strerror(-error));
	_exit(tally->wrong != 0);
}

/* Runs as an unprivileged user that becomes root in a new user namespace. */
static void stranger(void)
{
	struct stat device;
	int status;

	/* Root owns the directory of the files; a bind mount makes the files reachable here. */
	mkdir("/seen", 0755);
	if (stat("/dev/kalloc_map", &device) || unshare(CLONE_NEWNS) ||
	    mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) ||
	    mount("/sys/kernel/debug/kalloc", "/seen", NULL, MS_BIND, NULL))
		die("/seen");
	if (setgroups(0, NULL) || setgid(65534) || setuid(65534) || prctl(PR_SET_DUMPABLE, 1) ||
	    unshare(CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWPID))
		die("unshare");
	write_text("/proc/self/setgroups", "deny");
	write_text("/proc/self/uid_map", "0 65534 1");
	write_text("/proc/self/gid_map", "0 65534 1");
	if (setuid(0) || getuid())
		die("root of a namespace");
	if (!fork())
		in_a_namespace(device.st_rdev);
	wait(&status);
	_exit(status != 0);
}

/* Returns whether a comparison contains the distance between two areas. Closes it. */
static bool tells_gap(int comparison)
{
	FILE *file = fdopen(comparison, "r");
	char line[200], gap[40] = "";

	while (file && fgets(line, sizeof(line), file))
		sscanf(line, "kernel vmalloc gap_below %39s", gap);
	if (file)
		fclose(file);
	if (!*gap)
		wrong("no gap_below in %s", COMPARE);
	return strcmp(gap, "unknown");
}

/* Returns whether a list of areas contains addresses. Closes it. */
static bool tells_addresses(int layout)
{
	char text[20] = "";

	if (read(layout, text, sizeof(text) - 1) <= 0 || *text != '#')
		wrong("layout begins with '%s'", text);
	close(layout);
	return strncmp(text, "# hidden", 8);
}

/* Drops CAP_SYSLOG temporarily, or restores it. */
static void set_syslog(bool has)
{
	struct __user_cap_header_struct header = { _LINUX_CAPABILITY_VERSION_3, 0 };
	struct __user_cap_data_struct data[2];

	if (syscall(SYS_capget, &header, data))
		die("capget");
	data[1].effective &= ~(1u << (CAP_SYSLOG - 32));
	data[1].effective |= (unsigned int)has << (CAP_SYSLOG - 32);
	if (syscall(SYS_capset, &header, data))
		die("capset");
}

/*
 * Checks that root without CAP_SYSLOG does not see the values that root has just seen. The file
 * checks the opener, not the reader.
 */
static void without_syslog(const char *restricted)
{
	int layout, comparison, hidden;

	write_text("/proc/sys/kernel/kptr_restrict", restricted);
	if (!tells_gap(open(COMPARE, O_RDONLY)))
		wrong("compare tells root no gap, kptr_restrict is %s", restricted);
	layout = open(DEBUG "layout", O_RDONLY);
	set_syslog(false);
	if (!tells_addresses(layout))
		wrong("layout of an opener that may has no addresses, kptr_restrict is %s",
		      restricted);
	if (tells_addresses(open(DEBUG "layout", O_RDONLY)))
		wrong("layout has addresses, kptr_restrict is %s", restricted);
	if (tells_gap(open(COMPARE, O_RDONLY)))
		wrong("compare tells a gap, kptr_restrict is %s", restricted);
	hidden = open(DEBUG "layout", O_RDONLY);
	comparison = open(COMPARE, O_RDONLY);
	set_syslog(true);
	if (tells_addresses(hidden))
		wrong("layout of an opener that may not has addresses, kptr_restrict is %s",
		      restricted);
	if (tells_gap(comparison))
		wrong("compare of an opener that may not tells a gap, kptr_restrict is %s",
		      restricted);
	write_text("/proc/sys/kernel/kptr_restrict", "0");
}

void strangers(void)
{
	pid_t child = fork();
	int status;

	if (!child)
		stranger();
	if (waitpid(child, &status, 0) != child || status)
		wrong("nobody's status is %#x", status);
	without_syslog("0");
	without_syslog("1");
}
