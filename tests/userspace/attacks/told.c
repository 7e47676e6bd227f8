// SPDX-License-Identifier: GPL-2.0-only
/* Processes that read more than they are permitted to, or take more than their limit. */

#include <linux/capability.h>
#include <linux/types.h>
#include <stdint.h>
#include <sys/ioctl.h>
#include <sys/mman.h>

#include "attacks.h"
#include "kalloc_kv.h"

/* Removes capabilities from the process temporarily or permanently, or restores them. */
static void set_capabilities(__u64 effective, __u64 permitted)
{
	struct __user_cap_header_struct header = { _LINUX_CAPABILITY_VERSION_3, 0 };
	struct __user_cap_data_struct data[2] = {
		{ .effective = effective, .permitted = permitted },
		{ .effective = effective >> 32, .permitted = permitted >> 32 },
	};

	if (syscall(SYS_capset, &header, data))
		die("capset");
}

static __u64 capabilities(void)
{
	struct __user_cap_header_struct header = { _LINUX_CAPABILITY_VERSION_3, 0 };
	struct __user_cap_data_struct data[2];

	if (syscall(SYS_capget, &header, data))
		die("capget");
	return data[0].permitted | (__u64)data[1].permitted << 32;
}

/* Returns whether the contents of an open file include a kernel address. */
static bool shows_addresses(int file)
{
	static char text[1 << 16];
	ssize_t length = read(file, text, sizeof(text) - 1);

	if (length < 0)
		die("read");
	text[length] = '\0';
	for (const char *at = text; (at = strstr(at, "ffff")); at++)
		if (strspn(at, "0123456789abcdef") >= 16)
			return true;
	return false;
}

/* Returns whether addresses are visible, given CAP_SYSLOG of the process at open and at read. */
static bool shown(const char *path, bool to_opener, bool to_reader)
{
	__u64 all = capabilities(), few = all & ~(1ULL << CAP_SYSLOG);
	int file;
	bool is;

	set_capabilities(to_opener ? all : few, all);
	file = opened(path, O_RDONLY);
	set_capabilities(to_reader ? all : few, all);
	is = shows_addresses(file);
	set_capabilities(all, all);
	close(file);
	return is;
}

/* opener PATH: the file checks the capability at open, like the kernel's list of symbols. */
int opener(char **arguments)
{
	for (int who = 0; who < 4; who++) {
		const char *opens = who & 1 ? "" : "out", *reads = who & 2 ? "" : "out";
		bool expected = shown("/proc/kallsyms", who & 1, who & 2);

		if (shown(arguments[0], who & 1, who & 2) != expected)
			got_through("opened with%s CAP_SYSLOG, read with%s: addresses are %s",
				    opens, reads, expected ? "hidden" : "shown");
	}
	return 0;
}

/* Returns the page frame that /proc/self/pagemap shows to a process with the capability. */
static __u64 frame_of(const char *page)
{
	int pagemap = opened("/proc/self/pagemap", O_RDONLY);
	__u64 entry = 0;

	if (pread(pagemap, &entry, sizeof(entry), (uintptr_t)page / 4096 * sizeof(entry)) < 0)
		die("pagemap");
	close(pagemap);
	return entry & ((1ULL << 55) - 1);
}

/* frames PATH: like pagemap, the file shows no page frames to root without capabilities. */
int frames(char **arguments)
{
	int file, rows = 0;
	char text[1 << 16], *line, *last;
	const char *page;
	ssize_t length;

	set_capabilities(0, 0);
	file = opened(arguments[0], O_RDWR);
	length = read(file, text, sizeof(text) - 1);
	if (length < 0) {
		printf("read: %s\n", strerrorname_np(errno));
		return 0;
	}
	text[length] = '\0';
	page = mmap(NULL, 4096, PROT_READ, MAP_SHARED | MAP_POPULATE, file, 0);
	if (page == MAP_FAILED)
		die("mmap");
	printf("the first byte is %d\n", *page);
	if (frame_of(page))
		got_through("pagemap shows a frame");
	for (line = strtok(text, "\n"); line; line = strtok(NULL, "\n")) {
		if (*line == '#')
			continue;
		rows++;
		last = strrchr(line, ' ');
		if (last && strtoull(last + 1, NULL, 0))
			got_through("a frame is shown: %s", line);
	}
	return rows ? 0 : 1;
}

/* executable PATH: the memory of a device cannot be executed. */
int executable(char **arguments)
{
	int file = opened(arguments[0], O_RDWR);
	void *page = mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_SHARED, file, 0);

	if (page != MAP_FAILED)
		got_through("the memory is mapped as code");
	page = mmap(NULL, 4096, PROT_READ, MAP_SHARED, file, 0);
	if (page == MAP_FAILED)
		die("mmap");
	if (!mprotect(page, 4096, PROT_READ | PROT_EXEC))
		got_through("the memory is made code");
	if (!mprotect(page, 4096, PROT_READ | PROT_WRITE))
		got_through("the memory is made writable");
	return 0;
}

/*
 * charged COUNT: a process in a cgroup with little memory sets values until the memory is used up.
 */
int charged(char **arguments)
{
	static char value[KV_VALUE_MAX];
	int file = opened("/dev/kalloc_kv", O_RDWR), count = atoi(arguments[0]);
	int set = 0, refused = 0;

	for (int number = 0; number < count; number++) {
		char key[12];
		int length = snprintf(key, sizeof(key), "%d", number);
		struct kv_request request = {
			.key = (uintptr_t)key,
			.value = (uintptr_t)value,
			.key_len = length,
			.value_len = sizeof(value),
		};

		if (!ioctl(file, KV_SET, &request))
			set++;
		else if (errno == ENOMEM)
			refused++;
		else
			die("KV_SET");
	}
	for (int number = 0; number < count; number++) {
		char key[12];
		int length = snprintf(key, sizeof(key), "%d", number);
		struct kv_request request = { .key = (uintptr_t)key, .key_len = length };

		ioctl(file, KV_DELETE, &request);
	}
	printf("%d set, %d refused\n", set, refused);
	return !set || !refused;
}
