# SPDX-License-Identifier: GPL-2.0-only
"""The preparation of a command: its tools and kernels, with independent parts in parallel."""

from collections.abc import Callable
from functools import partial

from kalloc_dev.core import process
from kalloc_dev.core.paths import BUILD, CACHE, from_environment
from kalloc_dev.core.store import look, need_room, remove
from kalloc_dev.doc import sphinx
from kalloc_dev.guest import debian_machine, kvm
from kalloc_dev.guest.userland import userland
from kalloc_dev.kernel.build import PLANS, Kernel, kernel
from kalloc_dev.kernel.debian import debian
from kalloc_dev.package import deb, kalloctop
from kalloc_dev.test import kunit_tool, models, slabinfo_readers
from kalloc_dev.toolchain import python_tools
from kalloc_dev.toolchain.arch import ARM64, X86
from kalloc_dev.toolchain.compilers import emulators, toolchain
from rust_kbuild.console import say

# The prefixes of the names of cache entries, and of the leftovers of a killed --prune.
OURS = tuple(f"{name}-" for name in (
    "toolchain", "cross", "debian", "modules", "busybox", "userland", "cargo", "slabtop", "kalloctop", "packager", "machine",
    "sphinx", "herd", "pytools", "ruff", "kunit", "export", "emulators", *PLANS)) + (".trash-",)

# The modules of a kernel, and the initramfs of a guest.
BUILD_GIGABYTES = 0.3


def set_up(*names: str) -> list[Kernel]:
    """Returns the kernels of these names, and prepares the tools for their modules and guests."""
    parts: list[Callable[[], object]] = [*{X86.tools, *(PLANS[name].arch.tools for name in names)}]
    if "stock" in names or not from_environment("KSRC"):
        # One processor unpacks the packages: the other one unpacks the source.
        parts.append(debian)
    need_room(BUILD_GIGABYTES, BUILD)
    # Each part checks for room as well, but does not count the room that the other parts will take.
    need_room(look(*parts)[1])
    with process.pool() as pool:
        for part in [pool.submit(part) for part in parts]:
            part.result()
        if "stock" in names:
            # The wait for a guest that hangs under KVM overlaps the work of the compilers.
            pool.submit(kvm.works, debian() / "vmlinuz")
        return [kernel(name) for name in names]


def prune() -> None:
    """Removes the cache entries that no command of this tree uses.

    Userlands with packages are removed too, except those of the tests: their package lists are not
    known.
    """
    kernels = (partial(kernel, name) for name in PLANS)
    userlands = (partial(userland, (), arch) for arch in (X86, ARM64))
    trees = (partial(kunit_tool.tree, name) for name in ("kunit", "export"))
    used, _ = look(toolchain, emulators, debian, *userlands, *slabinfo_readers.PARTS, kalloctop.optimized, deb.root,
                   debian_machine.root, models.root, *trees, sphinx.root, python_tools.root, python_tools.ruff, *kernels)
    for path in sorted(CACHE.iterdir()):
        if path.name not in used and path.name.startswith(OURS):
            say(f"    removing {path}")
            remove(path)
