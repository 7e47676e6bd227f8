// SPDX-License-Identifier: GPL-2.0

#include <linux/capability.h>
#include <linux/fs.h>
#include <linux/sprintf.h>
#include <linux/string.h>
#include <linux/user_namespace.h>

/*
 * Returns whether the kernel's addresses are to be hidden from the process that runs. One that
 * may not see a pointer is shown zeroes, one that may its digits, or those of its hash.
 */
bool kalloc_helper_hides_addresses(void);
bool kalloc_helper_hides_addresses(void)
{
	char text[20];
	int length = scnprintf(text, sizeof(text), "%pK", text);

	return strspn(text, "0") == length || !ns_capable_noaudit(&init_user_ns, CAP_SYSLOG);
}

/* As /proc/PID/pagemap judges the process that opened the file. */
bool kalloc_helper_shows_frames(const struct file *file);
bool kalloc_helper_shows_frames(const struct file *file)
{
	return file_ns_capable(file, &init_user_ns, CAP_SYS_ADMIN);
}
