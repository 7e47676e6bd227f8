# SPDX-License-Identifier: GPL-2.0-only
"""The bugs that only the real-time kernel detects, and the others that it detects as well."""

from kalloc_dev.test.sanitizers.arch_reports import X86
from kalloc_dev.test.sanitizers.boot import Boot
from kalloc_dev.test.sanitizers.common import (
    AREA_FREED_TWICE,
    FREE_PAGE,
    INVERSION,
    LEFT_OBJECT,
    PAGES,
    REFUSE,
    SLEEP,
    TWICE_IN_LIST,
    WANDERING,
)
from kalloc_dev.test.sanitizers.leaks import LEAKS, LOOK, PLANT

APPEND = "kunit.enable=0"

# Lockdep is disabled after its first report, so its two kinds of report need two guests. The kernel
# reports a sleep at most once a second.
CONTEXTS = r"""
plant nested area
for bug in raw masked pinned; do
	for family in box page; do
		sleep 1.1
		plant $bug $family
	done
done
"""
SLEEPS = r"^BUG: sleeping function called from invalid context at kernel/locking/spinlock_rt\.c:"
CONTEXTS_CAUGHT = {
    "nested area": ((r"^\[ BUG: Invalid wait context \]$", SLEEPS), r"^ planted_nested\+"),
    **{f"{bug} {family}": ((SLEEPS,), rf"^ planted_{bug}\+")
       for bug in ("raw", "masked", "pinned") for family in ("box", "page")},
}

# kmemleak finds the address of an object that SLUB holds for a processor, except with SLUB's
# checks.
CHECKED = f"{APPEND} slab_debug=-;FZP,kmalloc-*"
OTHERS = rf"""
plant inversion area
{PLANT}
plant sleep box
plant wandering box
plant twice_in_list box
plant double_free area
{LOOK}
plant left_object object
plant guard_page area
plant scribble page
plant double_free page
{REFUSE}
"""
OTHERS_CAUGHT = {
    # Spinlocks of this kernel are larger than a box.
    "inversion area": INVERSION,
    **LEAKS,
    **SLEEP,
    **WANDERING,
    **TWICE_IN_LIST,
    **AREA_FREED_TWICE,
    **LEFT_OBJECT,
    **PAGES,
    "double_free page": (X86.bug, FREE_PAGE),
    "ignored_refusal box": ((r"^BUG: kernel NULL pointer dereference, address: 0{16}$", r"^Oops: "),
                            r"^RIP: 0010:planted_ignored_refusal\+"),
}

# Another thread may hold the lock and wait for the processor: then the bug does sleep.
BOOTS = (Boot(CONTEXTS, CONTEXTS_CAUGHT, APPEND, perhaps=r"^BUG: scheduling while atomic: "),
         Boot(OTHERS, OTHERS_CAUGHT, CHECKED))
