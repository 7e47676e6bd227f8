# SPDX-License-Identifier: GPL-2.0-only
"""The verdict on fault injection: system calls, the cases of the suites, and the log.

The calls are in tests/userspace/fail_nth/, and the module with the cases is in
tests/modules/fault_injection/.
"""

import re
from collections.abc import Iterator
from pathlib import Path

from kalloc_dev.modules.user_programs import compiled
from kalloc_dev.test.dmesg import DUMPS
from kalloc_dev.test.result import Case
from kalloc_dev.toolchain.arch import Arch

SECTION, CASES = "fault_injection_system_calls", "fault_injection_cases"
LOADED = ("kalloc", "exercise", "compare", "map", "kv")
CALLS = [f"{how}_{module}" for module in LOADED for how in ("load", "unload")] + [
    "kallocinfo", "sites", "sites.json", "layout", "compare", "exercise",
    "kbox", "kvec", "karray", "kvarray", "cache", "pages", "fpages", "vmap", "vbox", "varray",
    "map", "map_read", "map_renew",
    "kv_set", "kv_replace", "kv_delete", "kv_get", "kv_show", "kv_list"]

# The cases whose checks may fail under fault injection, because they test the allocation that
# fails.
UNMET = {
    *(f"kalloc_alloc_types.{name}" for name in ("cstring_from_fmt_with_nul_fails", "cstring_from_fmt_value_fails",
                                                "flex_init_fails_drops_earlier_parts")),
    "kalloc_arc.unique_arc_init_fails_frees_memory",
    *(f"kalloc_context.{name}" for name in ("alloc_sleeping_under_spinlock", "drop_under_rcu_read_lock",
                                            "drop_with_irqs_disabled")),
    *(f"kalloc_fs.{name}" for name in ("proc_create_invalid_name", "proc_create_name_in_use", "debugfs_create_name_in_use",
                                       "proc_create_kernel_name", "proc_and_debugfs_same_name")),
    *(f"kalloc_slab_args.{name}" for name in ("kmem_cache_new_invalid_sysfs_name",
                                             "kmem_cache_new_object_too_large")),
    "kalloc_slab.kmem_cache_new_name_in_use",
    "kalloc_site.register_twice", "kalloc_site.register_all_or_none",
    "kalloc_stats.size_histogram_powers_of_two",
}

# The messages of the kernel about a failed allocation, after which it continues.
SAID = (
    *DUMPS,
    # vmalloc, with a stack dump and a memory report; the memory of a module; caches, with a stack
    # dump.
    r"^(fail_nth|modprobe): vmalloc error: size \d+, .* mode:0x\w+\(GFP_\w+(\|__GFP_\w+)*\), nodemask=\(null\)$",
    r"^(fail_nth|modprobe): page allocation failure: order:\d+, mode:",
    r"^(warn_alloc|execmem_vmalloc): \d+ callbacks suppressed$",
    r"^execmem: unable to allocate memory$",
    r"^__kmem_cache_create_args\(((exercise|map|kv|kunit|doc)_\w+|\.\.\.|!%s%n)\) failed with error -(12|22)$",
    r"^SLUB: Unable to allocate memory on CPU ",
    r"^kalloc: kalloc_fault_injection: the name kunit_site_word is in use by a site of kalloc_fault_injection; ",
    r"^percpu: allocation failed, size=\d+ align=\d+ atomic=[01], ",
    # The module loader, about symbols, and about suites in modules that have none.
    r"^kalloc_\w+: Unknown symbol \w+ \(err -12\)$",
    r"^kunit module: error filtering suites: -12$",
    # Missing files in /sys and in debugfs.
    r"^kobject: kobject_add_internal failed for \S+ \(error: -12 parent: \S+\)$",
    r"^kobject: kobject_create_and_add: kobject_add error: -12$",
    r"^kobject: can not set name properly!$",
    r"^SLUB: Unable to add cache (exercise|map|kv|kunit|doc)_\w+ to sysfs$",
    r"^debugfs: out of free dentries, can not create (file|directory) '[\w.]+'$",
    # A missing mount of /proc, in which the name of a new file is looked up.
    r"^proc_fill_super: (get root inode failed|allocate dentry failed|can't allocate /proc/(thread-)?self)$",
    # A repeated page fault.
    r"^Huh VM_FAULT_OOM leaked out to the #PF handler\. Retrying PF$",
    # kmemleak, which continues with less precision.
    r"^kmemleak: Cannot allocate a scan area, scanning the full object$",
    # The sample, about a workload without memory.
    r"^kalloc_exercise: workload \w+ failed: Error\(12\)$",
)


def program(arch: Arch) -> Path:
    """Returns the program that makes the calls."""
    return compiled("fail_nth", arch)


def verdict(shown: str | None, where: str) -> Iterator[Case]:
    """Returns the verdict: every call was made, met failed allocations, and some calls failed."""
    *rows, last = [line.split() for line in (shown or "nothing").splitlines()]
    name = f"kunit guest.{SECTION}"
    right = [row[0] for row in rows] == CALLS and all(
        len(row) == 4 and int(row[1]) > 0 and (int(row[2]) > 0 or row[0].startswith("unload_"))
        for row in rows)
    if right and last[0] == "complete":
        refused, failed = (sum(int(row[column]) for row in rows) for column in (1, 2))
        yield Case(name, "passed", figures=f"{refused} allocations refused, {failed} calls failed, "
                                           f"{last[1]} kinds of call refused each")
    else:
        yield Case(name, "failed", f"the guest shows {shown}\n{where}")


def verdict_of_cases(shown: str | None, wanted: int, where: str) -> Iterator[Case]:
    """Returns the verdict on the cases of the suites.

    The module must load, have the wanted number of cases, and each case must meet failed
    allocations.
    """
    status, _, said = (shown or "").partition("\n")
    found = {kind: int(number) for kind, number in re.findall(r"(\w+) (\d+)", said.splitlines()[-1] if said else "")}
    name = f"kunit guest.{CASES}"
    unmet = set(re.findall(r"^unmet: (\S+)$", said, re.M))
    wrong = [f"{case} must be right or fail" for case in sorted(unmet - UNMET)]
    if found.get("cases", 0) + found.get("skipped", 0) != wanted:
        wrong.append(f"there are {wanted} cases")
    if status == "0" and 0 < found.get("cases", 0) < found.get("refused", 0) and found.get("failed") and not wrong:
        yield Case(name, "passed", figures=f"{found['refused']} allocations refused, {found['failed']} cases failed of it, "
                   f"{found['complete']} cases refused each")
    else:
        yield Case(name, "failed", "\n".join([f"the guest shows {shown}", *wrong, where]))
