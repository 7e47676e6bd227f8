// SPDX-License-Identifier: GPL-2.0-only

#include <linux/capability.h>
#include <linux/fs.h>
#include <linux/sprintf.h>
#include <linux/string.h>
#include <linux/user_namespace.h>

/*
 * Returns true if kernel addresses must be hidden from the current process. %pK
 * prints zeroes for a process that must not see the pointer, and its digits or
 * those of its hash for others.
 */
bool kalloc_helper_hides_addresses(void);
bool kalloc_helper_hides_addresses(void)
{
	char text[20];
	int length = scnprintf(text, sizeof(text), "%pK", text);

	return strspn(text, "0") == length || !ns_capable_noaudit(&init_user_ns, CAP_SYSLOG);
}

/*
 * Returns true if the process that opened the file may see page frame numbers,
 * by the rule of /proc/PID/pagemap.
 */
bool kalloc_helper_shows_frames(const struct file *file);
bool kalloc_helper_shows_frames(const struct file *file)
{
	return file_ns_capable(file, &init_user_ns, CAP_SYS_ADMIN);
}
