# SPDX-License-Identifier: GPL-2.0-only
"""Allocations of a module in histograms of the kernel's tracepoints, which know nothing of kalloc.

Each entry of a histogram has the stack of an allocation, its size, and the number of allocations
with both. An allocation belongs to the module whose code called the allocator: directly, through
kalloc, or through functions of Rust that are built into the kernel.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass

# Functions of the kernel between a tracepoint and the caller of the allocator, by tracepoint.
RUST = r"_R\w+|rust_helper_\w+"
BETWEEN = {
    "kmalloc": rf"{RUST}|_*k\w*alloc\w*|__do_krealloc",
    "kmem_cache_alloc": rf"{RUST}|_*kmem_cache_alloc\w*",
    "mm_page_alloc": rf"{RUST}|_*(get_free|alloc|alloc_frozen)_pages\w*",
    "alloc_vmap_area": rf"{RUST}|\w*(vmalloc|vrealloc|get_vm_area|vmap_area)\w*",
}
PAGE = 4096
# The functions of kalloc that allocate for its own records of blocks and call sites.
OWN = re.compile(r"kalloc_add_record|kalloc_linked_row|kalloc_create_rows")
ENTRY = re.compile(r"^\{ common_stacktrace:\n((?: +\S.*\n)+), \w+: +(\d+) *\} +hitcount: +(\d+)", re.M)
# A function and its module, or the address of code for the initialization of a module, which is freed afterwards.
FRAME = re.compile(r"^ +(?:(\w\S*?)\+0x\S+(?: \[(\w+)\])?|0x[\da-f]+)$", re.M)
DROPPED = re.compile(r"^ +Dropped: (\d+)$", re.M)


@dataclass(frozen=True)
class Traced:
    """Allocations of one size from one place."""

    size: int
    calls: int
    stack: list[tuple[str, str]]


def traced(event: str, histogram: str, module: str) -> Iterator[Traced]:
    """Yields the allocations of a module; fails if the histogram has no room for all."""
    dropped = DROPPED.search(histogram)
    assert dropped and dropped[1] == "0", f"{event}: an incomplete histogram ({dropped and dropped[1]} dropped)"
    for frames, size, calls in ENTRY.findall(histogram):
        stack = FRAME.findall(frames)
        if belongs(stack, module, re.compile(BETWEEN[event])):
            yield Traced(_bytes(event, int(size)), int(calls), stack)


def belongs(stack: list[tuple[str, str]], module: str, between: re.Pattern[str]) -> bool:
    """Returns whether the first frame outside of the allocators is in the module, the only one that is loaded meanwhile."""
    for symbol, where in stack:
        if where == module or not symbol:
            return True
        if where == "kalloc" and not OWN.match(symbol) or not where and between.fullmatch(symbol):
            continue
        return False
    return False


def _bytes(event: str, size: int) -> int:
    """Returns the bytes of an event's size: an order, or the size of an area with its guard page."""
    if event == "mm_page_alloc":
        return PAGE << size
    return size - PAGE if event == "alloc_vmap_area" else size
