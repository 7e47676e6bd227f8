# SPDX-License-Identifier: GPL-2.0-only
"""The stack frames of the shipped modules: the kernel's stack has 16 KiB for a whole call chain.

The compilers' reports differ: gcc writes .su files, and rustc a section that needs an unstable
flag. The instructions are the same for all compilers: a function reserves a frame by a subtraction
from the stack pointer.
"""

import re
from collections.abc import Iterator
from pathlib import Path

from kalloc_dev.core.paths import TREE
from kalloc_dev.core.prepare import set_up
from kalloc_dev.modules import kbuild
from kalloc_dev.toolchain.compilers import toolchain

# The limit of a frame in bytes, by kernel. A sanitizer keeps variables apart, which needs more.
LIMITS = {"stock": 1 << 10, "debug": 2 << 10}
FUNCTION = re.compile(r"^[0-9a-f]+ <(.+)>:$")
# gcc adds -0x80 where clang subtracts 0x80: the encoding of -0x80 is shorter.
ROOM = re.compile(r"\t(?:sub|lea) +(?:\$0x|-0x)([0-9a-f]+)(?:\(%rsp\))?,%rsp$|\tadd +\$0xf{8,}([0-9a-f]{1,8}),%rsp$")
PUSH = re.compile(r"\tpush ")
# A frame whose size depends on a variable.
DYNAMIC = re.compile(r"\tsub +%\w+,%rsp$")
WORD = 8


def frames(listing: str) -> Iterator[tuple[str, float]]:
    """Returns each function of a disassembly with the bytes of its frame.

    The number is infinite if the frame depends on a variable.
    """
    name, room, pushed = "", 0.0, 0
    for line in listing.splitlines():
        if start := FUNCTION.match(line):
            yield name, room
            name, room, pushed = start[1], 0.0, 0
        elif PUSH.search(line):
            # Registers that it saves before; later pushes are arguments.
            pushed += WORD if not room else 0
        elif found := ROOM.search(line):
            # Exclusive paths reserve frames of their own: the largest counts.
            size = int(found[1], 16) if found[1] else (1 << 32) - int(found[2].rjust(8, "f"), 16)
            room = max(room, pushed + size)
        elif DYNAMIC.search(line):
            room = float("inf")
    yield name, room


def shipped(tree: kbuild.BuildTree) -> list[Path]:
    """Returns the crate's module and the samples."""
    return [tree.out / f"{name}.ko" for name in ("kalloc", *sorted(path.stem for path in TREE.glob("samples/kalloc_*.rs")))]


def too_large() -> Iterator[str]:
    """Names each function whose frame exceeds the limit, on each kernel."""
    for kernel in set_up(*LIMITS):
        tree = kbuild.tree_of(kernel)
        kbuild.build(tree)
        for module in shipped(tree):
            listing = toolchain().output(["objdump", "--disassemble", "--demangle", "--no-show-raw-insn", module])
            for name, size in frames(listing):
                if size > LIMITS[kernel.name]:
                    yield (f"{module.name} ({kernel.name}): {name} has a stack frame of {size:.0f} bytes, "
                           f"not {LIMITS[kernel.name]}")
