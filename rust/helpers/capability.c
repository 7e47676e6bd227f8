// SPDX-License-Identifier: GPL-2.0

#include <linux/capability.h>
#include <linux/user_namespace.h>

bool kalloc_helper_capable_syslog(void);
bool kalloc_helper_capable_syslog(void)
{
	return ns_capable_noaudit(&init_user_ns, CAP_SYSLOG);
}
