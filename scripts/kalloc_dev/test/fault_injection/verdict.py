# SPDX-License-Identifier: GPL-2.0
"""What comes of allocations that are refused, to system calls (tests/userspace/kalloc_faults/) and to the KUnit
suites' cases (tests/modules/fault_injection/), and what the kernel says of it.
"""

import re
from collections.abc import Iterator
from pathlib import Path

from kalloc_dev.modules.user_programs import compiled
from kalloc_dev.test.dmesg import DUMPS
from kalloc_dev.test.result import Case
from kalloc_dev.toolchain.arch import Arch

SECTION, CASES = "refusals_leave_nothing", "refused_cases_leave_nothing"
LOADED = ("kalloc", "exercise", "compare", "map", "kv")
CALLS = [f"{how}_{module}" for module in LOADED for how in ("load", "unload")] + [
    "kallocinfo", "sites", "sites.json", "layout", "compare", "exercise",
    "kbox", "kvec", "karray", "kvarray", "cache", "pages", "fpages", "vmap", "vbox", "varray",
    "map", "map_read", "map_renew",
    "kv_set", "kv_replace", "kv_delete", "kv_get", "kv_show", "kv_list"]

# Cases that may find something other than they expect when they are refused memory, for they ask for what is refused.
UNMET = {
    *(f"kalloc_context.{name}" for name in ("sleeping_fails_under_a_spinlock", "owners_may_go_in_other_atomic_contexts",
                                            "owners_may_go_with_interrupts_disabled")),
    *(f"kalloc_files.{name}" for name in ("names_are_checked", "a_name_is_given_once_at_a_time", "names_in_debugfs_are_taken",
                                          "names_of_the_kernel_are_taken", "files_of_two_kinds_may_share_a_name")),
    *(f"kalloc_cache_options.{name}" for name in ("names_that_sysfs_cannot_have_are_refused",
                                                  "objects_must_fit_with_their_metadata")),
    "kalloc_cache.a_name_of_the_kernels_is_refused",
    "kalloc_site.a_site_registers_once", "kalloc_site.all_sites_register_or_none",
    "kalloc_stats.sizes_are_told_apart_by_powers_of_two",
}

# What the kernel says of memory that it has not got, and goes on.
SAID = (
    *DUMPS,
    # vmalloc, with a stack dump and the state of memory; where a module goes; caches, with a stack dump.
    r"^(kalloc_faults|modprobe): vmalloc error: size \d+, .* mode:0x\w+\(GFP_\w+(\|__GFP_\w+)*\), nodemask=\(null\)$",
    r"^(kalloc_faults|modprobe): page allocation failure: order:\d+, mode:",
    r"^(warn_alloc|execmem_vmalloc): \d+ callbacks suppressed$",
    r"^execmem: unable to allocate memory$",
    r"^__kmem_cache_create_args\(((exercise|map|kv|kunit|doc)_\w+|\.\.\.|!%s%n)\) failed with error -(12|22)$",
    r"^SLUB: Unable to allocate memory on CPU ",
    r"^percpu: allocation failed, size=\d+ align=\d+ atomic=[01], ",
    # The module loader: of symbols, and of suites in modules that have none.
    r"^kalloc_\w+: Unknown symbol \w+ \(err -12\)$",
    r"^kunit module: error filtering suites: -12$",
    # What is not there then: files in /sys, and in debugfs.
    r"^kobject: kobject_add_internal failed for \S+ \(error: -12 parent: \S+\)$",
    r"^kobject: kobject_create_and_add: kobject_add error: -12$",
    r"^kobject: can not set name properly!$",
    r"^SLUB: Unable to add cache (exercise|map|kv|kunit|doc)_\w+ to sysfs$",
    r"^debugfs: out of free dentries, can not create (file|directory) '[\w.]+'$",
    # Nor is the /proc in which a new file's name is looked up.
    r"^proc_fill_super: (get root inode failed|allocate dentry failed|can't allocate /proc/(thread-)?self)$",
    # A page fault is repeated.
    r"^Huh VM_FAULT_OOM leaked out to the #PF handler\. Retrying PF$",
    # The leak detector does with less.
    r"^kmemleak: Cannot allocate a scan area, scanning the full object$",
    # The sample says which workload had no memory.
    r"^kalloc_exercise: workload \w+ failed: Error\(12\)$",
)


def program(arch: Arch) -> Path:
    """The program that makes the calls."""
    return compiled("kalloc_faults", arch)


def verdict(shown: str | None, where: str) -> Iterator[Case]:
    """What the section shows: every call was made, met refusals, and failed of some."""
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
    """What the section with the suites' cases shows: the module loaded, has as many cases as are wanted, and each met
    refusals.
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
