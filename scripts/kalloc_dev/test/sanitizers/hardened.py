# SPDX-License-Identifier: GPL-2.0-only
"""The bugs that the hardened kernel stops, or makes harmless."""

from kalloc_dev.test.sanitizers.arch_reports import X86
from kalloc_dev.test.sanitizers.boot import Boot
from kalloc_dev.test.sanitizers.common import AREA_FREED_TWICE, LEFT_OBJECT, PAGES

# KFENCE is enabled only for its own cases, because it samples objects at random.
APPEND = "kunit.enable=0 kfence.sample_interval=0 page_alloc.shuffle=1"

SCRIPT = r"""
for bug in mistyped named spanning; do plant $bug box; done
for family in box object page area; do plant remains $family; done
plant reused box
plant unset box
plant guard_page area
plant scribble page
plant astray area
plant twice_in_list box
plant double_free area

# The kernel's allocation profile names the allocation site of a leak.
calls() { awk '/ \[kalloc\] func:kalloc_helper_kmalloc_node_[0-9a-f]+ / { print $2 }' /proc/allocinfo; }
section profile
before=$(calls)
commit leak box
echo "<6>profile: $(($(calls) - before)) calls more" >/dev/kmsg

plant left_object object
plant exposed object
plant overcopied box
echo 1 >/sys/module/kfence/parameters/sample_interval
for bug in read overread overrun double_free; do plant fenced_$bug box; done
echo 0 >/sys/module/kfence/parameters/sample_interval
plant flood object
plant smash box
"""
CAUGHT = {
    "mistyped box": ((r"^CFI failure at planted_mistyped\+.* \(target: planted_size\+0x0/", *X86.trap), ""),
    "named box": ((r"^strcat: detected buffer overflow: 34 byte write of buffer size 16$", r"^WARNING: ", *X86.bug),
                  r"^ planted_named\+"),
    "spanning box": ((r"^memcpy: detected field-spanning write \(size 17\) of single field \"block->text\" at ",
                      r"^WARNING: "), ""),
    **{f"remains {family}": ((), rf"^planted_remains: 0 of {size} bytes$")
       for family, size in (("box", 100), ("object", 100), ("page", 4096), ("area", 4096))},
    "reused box": ((), r"^planted_reused: 0 of 100 bytes, allocated again: 1$"),
    "unset box": ((), r"^planted_unset: a{16}$"),
    **PAGES,
    "astray area": (X86.bug, r"^ planted_astray\+"),
    "twice_in_list box": ((r"^list_add double add: ", *X86.bug), r"^ planted_twice_in_list\+"),
    **AREA_FREED_TWICE,
    "profile": ((), r"^profile: 4 calls more$"),
    **LEFT_OBJECT,
    "exposed object": ((r"^usercopy: Kernel memory exposure attempt detected from SLUB object 'planted_object' "
                        r"\(offset 0, size 100\)!$", *X86.bug), r"^ planted_exposed\+"),
    "overcopied box": ((r"^usercopy: Kernel memory overwrite attempt detected to SLUB object 'kmalloc-(part-\d+-)?128' "
                        r"\(offset 0, size 200\)!$", *X86.bug), r"^ planted_overcopied\+"),
    "fenced_read box": ((r"^BUG: KFENCE: use-after-free read in planted_fenced_read\+",), ""),
    "fenced_overread box": ((r"^BUG: KFENCE: out-of-bounds read in planted_fenced_overread\+",), ""),
    "fenced_overrun box": ((r"^BUG: KFENCE: memory corruption in planted_free\+",), r"^ planted_fenced_overrun\+"),
    "fenced_double_free box": ((r"^BUG: KFENCE: invalid free in planted_free\+",), r"^ planted_fenced_double_free\+"),
    "flood object": ((r"^kernel BUG at build_detached_freelist\+", *X86.trap), r"^ planted_flood\+"),
    "smash box": ((r"^Kernel panic - not syncing: stack-protector: Kernel stack is corrupted in: planted_smash\+",),
                  ""),
}

# A cache whose free list is corrupt is unusable afterwards.
FREELIST = r"""
plant wild_freelist object
"""
FREELIST_CAUGHT = {
    # The target of the pointer is random, but it is not the value that was written.
    "wild_freelist object": ((r"^Oops: general protection fault, probably for non-canonical address |"
                              r"^BUG: unable to handle page fault for address: ",), r"^ planted_wild_freelist\+"),
}

BOOTS = (Boot(SCRIPT, CAUGHT, APPEND, dies=True), Boot(FREELIST, FREELIST_CAUGHT, APPEND))
