// SPDX-License-Identifier: GPL-2.0

#include <linux/capability.h>

bool kalloc_helper_capable_syslog(void);
bool kalloc_helper_capable_syslog(void)
{
	return capable_noaudit(CAP_SYSLOG);
}
