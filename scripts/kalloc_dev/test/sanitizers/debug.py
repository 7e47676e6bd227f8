# SPDX-License-Identifier: GPL-2.0-only
"""The bugs that the debug kernels detect, with KASAN and the checks around it."""

from kalloc_dev.test.sanitizers.arch_reports import ARM64, X86, Signs
from kalloc_dev.test.sanitizers.boot import NOTHING, Boot, Report
from kalloc_dev.test.sanitizers.common import (
    AREA_FREED_TWICE,
    FREE_PAGE,
    INVERSION,
    LEFT_OBJECT,
    REFUSE,
    SLEEP,
    TWICE_IN_LIST,
    WANDERING,
)
from kalloc_dev.test.sanitizers.leaks import LEAKS, LOOK, PLANT

# SLUB's checks as in the other guests, with the stacks of allocations. KFENCE is enabled only for
# its own case, because it samples objects at random.
APPEND = ("kunit.enable=0 kasan_multi_shot page_poison=1 hardened_usercopy=1 kfence.sample_interval=0 "
          "slab_debug=-;FZP,kmalloc-*;FZPU,planted_*")

# Lockdep comes first, because most reports disable it.
SCRIPT = rf"""
plant inversion box
{PLANT}
plant sleep box
for bug in overread overrun late_read; do
	for family in box object page area; do plant $bug $family; done
done
plant much_later_read box
for family in box object area; do plant double_free $family; done
plant unseen_overrun object
plant unseen_object_write object
plant unseen_page_write page
for bug in index shift twice_in_list wandering; do plant $bug box; done
{LOOK}
plant left_object object
section miscount
modprobe kalloc_stress ops=200 workers=1 miscount=1 2>/dev/null
plant double_free page
# The report of the processor when it becomes idle belongs to this section.
usleep 50000
for family in box page area; do plant uninitialised $family; done
plant exposed object
plant overcopied box
plant overflow box
plant ignored_refusal area
{REFUSE}
echo 1 >/sys/module/kfence/parameters/sample_interval
plant fenced_read box
"""

KASAN = r"^BUG: KASAN: {} in planted_{}\+"


def caught(signs: Signs) -> dict[str, Report]:
    """Returns the headlines of each section, and a line below them."""
    return {
        "inversion box": INVERSION,
        **LEAKS, **SLEEP, **AREA_FREED_TWICE, **TWICE_IN_LIST, **WANDERING, **LEFT_OBJECT,
        **{f"{bug} {family}": ((KASAN.format(kind, bug),), about)
           for bug in ("overread", "overrun")
           for family, kind, about in (
               ("box", "slab-out-of-bounds", r"^ allocated 100-byte region "),
               ("object", "slab-out-of-bounds", r"^ which belongs to the cache planted_object of size 100$"),
               ("page", "use-after-free", r"The buggy address belongs to the physical page:$"),
               ("area", "vmalloc-out-of-bounds", r"The buggy address belongs to a"))},
        "late_read box": ((KASAN.format("slab-use-after-free", "late_read"),), r"^ which belongs to the cache kmalloc-128 "),
        "late_read object": ((KASAN.format("slab-use-after-free", "late_read"),), r"^Freed by task "),
        "late_read page": ((KASAN.format("use-after-free", "late_read"),), ""),
        "late_read area": ((KASAN.format("vmalloc-out-of-bounds", "late_read"),), ""),
        "much_later_read box": ((KASAN.format("slab-use-after-free", "much_later_read"),), r"^Freed by task "),
        "double_free box": ((r"^BUG: KASAN: double-free in ",), r"^ planted_double_free\+"),
        "double_free object": ((r"^BUG: KASAN: double-free in ",), r"^ planted_double_free\+"),
        "double_free page": ((*signs.bug, *signs.first_end), FREE_PAGE),
        "unseen_overrun object": ((r"^\[Right Redzone overwritten\] .* First byte 0x0 instead of 0xcc$",
                                   r"^BUG planted_object .*: Object corrupt$", r"^WARNING: "), ""),
        "unseen_object_write object": ((r"^\[Poison overwritten\] .* First byte 0x0 instead of 0x6b$",
                                        r"^BUG planted_object .*: Object corrupt$", r"^WARNING: "), ""),
        "unseen_page_write page": ((r"^pagealloc: memory corruption$",), r"^ planted_unseen_page_write\+"),
        "index box": ((r"^UBSAN: array-index-out-of-bounds in .*\bheap\.c:",), r"^index 4 is out of range for type "),
        "shift box": ((r"^UBSAN: shift-out-of-bounds in .*\bheap\.c:",), r"^shift exponent 32 is too large"),
        # The module logs it twice: modprobe of busybox tries two ways to load it.
        "miscount": ((r"^kalloc_stress: stress_word (with blocks live|at rest): (allocs|frees) is \d+, not \d+$",) * 8,
                     r"^kalloc_stress: 200 operations by 2 workers, \d+ interrupts: 4 numbers wrong$"),
        "uninitialised box": signs.slab_pointer,
        **{f"uninitialised {family}": signs.page_pointer for family in ("page", "area")},
        "exposed object": ((r"^usercopy: Kernel memory exposure attempt detected from SLUB object 'planted_object' "
                            r"\(offset 0, size 100\)!$", *signs.bug), r"^ planted_exposed\+"),
        "overcopied box": ((r"^usercopy: Kernel memory overwrite attempt detected to SLUB object 'kmalloc-128' "
                            r"\(offset 0, size 200\)!$", *signs.bug), r"^ planted_overcopied\+"),
        "overflow box": ((r"panicked at tests/modules/lkdtm/kalloc_lkdtm\.rs:", *signs.bug), r"^attempt to add with overflow$"),
        "ignored_refusal area": NOTHING,
        "ignored_refusal box": (signs.null_pointer, rf"{signs.running}planted_ignored_refusal\+"),
        "fenced_read box": ((r"^BUG: KFENCE: use-after-free read in planted_fenced_read\+",), ""),
    }


BOOTS = (Boot(SCRIPT, caught(X86), APPEND),)
BOOTS_ARM64 = (Boot(SCRIPT, caught(ARM64), APPEND),)
