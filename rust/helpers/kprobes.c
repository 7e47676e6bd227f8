// SPDX-License-Identifier: GPL-2.0-only

#include <linux/kallsyms.h>
#include <linux/kprobes.h>

const size_t KALLOC_CONST_KSYM_SYMBOL_LEN = KSYM_SYMBOL_LEN;

/*
 * Looks up a function by name. The kernel exports no such lookup; the
 * registration of a kprobe includes one.
 */
int kalloc_helper_kprobe_address(const char *name, unsigned long *address);
int kalloc_helper_kprobe_address(const char *name, unsigned long *address)
{
	/* A disabled probe changes no code. */
	struct kprobe probe = { .symbol_name = name, .flags = KPROBE_FLAG_DISABLED };
	int error = register_kprobe(&probe);

	if (error)
		return error;
	*address = (unsigned long)probe.addr;
	unregister_kprobe(&probe);
	return 0;
}
