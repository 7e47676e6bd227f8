# SPDX-License-Identifier: GPL-2.0-only
"""Bugs that several kernels report with the same text."""

from kalloc_dev.test.sanitizers.boot import Report

LEFT_OBJECT: dict[str, Report] = {"left_object object": (
    (r"^BUG planted_object .*: Objects remaining on ", r"^WARNING: .*__kmem_cache_shutdown",
     r"^WARNING: .*kmem_cache_destroy"), r"^kmem_cache_destroy planted_object: Slab cache still has objects ")}
AREA_FREED_TWICE: dict[str, Report] = {"double_free area": (
    (r"^WARNING: .*\bat vfree\+",), r"^Trying to vfree\(\) nonexistent vm area ")}
# The additional line of VM_BUG_ON_PAGE().
FREE_PAGE = r"^page dumped because: VM_BUG_ON_PAGE\(page_ref_count\(page\) == 0\)$"
TWICE_IN_LIST: dict[str, Report] = {"twice_in_list box": (
    (r"^list_add double add: ", r"^WARNING: "), r"^ planted_twice_in_list\+")}
INVERSION: Report = ((r"^WARNING: possible circular locking dependency detected$",), r"planted_inversion\+")
SLEEP: dict[str, Report] = {"sleep box": (
    (r"^BUG: sleeping function called from invalid context at ",), r"^ planted_sleep\+")}
WANDERING: dict[str, Report] = {"wandering box": (
    (r"^BUG: using smp_processor_id\(\) in preemptible ",), r"^ planted_wandering\+")}

# Makes the allocations of an otherwise clean call fail one by one. A cache that was just filled may
# hide the relevant allocation, so there is a second pass.
REFUSE = r"""
for name in ignore-gfp-wait verbose; do echo 0 >/sys/kernel/debug/failslab/$name; done
section "ignored_refusal box"
for nth in $(seq 40) $(seq 40); do
	(echo $nth >/proc/thread-self/fail-nth; commit ignored_refusal box) 2>/dev/null
	[ $? -lt 128 ] || break
done
"""

# Areas end at an unmapped page, and read-only pages cannot be written: the reports of x86.
PAGES: dict[str, Report] = {
    "guard_page area": ((r"^BUG: unable to handle page fault for address: ", r"^Oops: Oops: 0000 "),
                        r"^RIP: 0010:planted_guard_page\+"),
    "scribble page": ((r"^BUG: unable to handle page fault for address: ", r"^Oops: Oops: 0003 "),
                      r"^RIP: 0010:planted_scribbler\+"),
}
