// SPDX-License-Identifier: GPL-2.0-only

#include <linux/kallsyms.h>
#include <linux/kprobes.h>

const size_t KALLOC_CONST_KSYM_SYMBOL_LEN = KSYM_SYMBOL_LEN;

/*
 * Returns the address of a function, or 0. The kernel exports no lookup by
 * name; the registration of a kprobe includes one.
 */
unsigned long kalloc_helper_kprobe_address(const char *name);
unsigned long kalloc_helper_kprobe_address(const char *name)
{
	/* A disabled probe changes no code. */
	struct kprobe probe = { .symbol_name = name, .flags = KPROBE_FLAG_DISABLED };
	unsigned long address;

	if (register_kprobe(&probe))
		return 0;
	address = (unsigned long)probe.addr;
	unregister_kprobe(&probe);
	return address;
}
