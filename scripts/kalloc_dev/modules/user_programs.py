# SPDX-License-Identifier: GPL-2.0
"""The programs of samples/userspace/, which every guest has in /usr/bin, and those of tests/userspace/."""

from pathlib import Path

from kalloc_dev.core import store
from kalloc_dev.core.paths import BUILD, LOGS, TREE
from kalloc_dev.toolchain.arch import X86, Arch
from rust_kbuild.console import run, step

SOURCE = TREE / "samples" / "userspace"
# What a sample tells user space about itself.
HEADERS = TREE / "samples" / "kv"


def program(arch: Arch = X86) -> Path:
    """kalloc-table, built if a source is newer."""
    built = BUILD / "userspace" / arch.name / "kalloc-table"
    built.parent.mkdir(parents=True, exist_ok=True)
    with store.lock(built.parent / "lock"):
        newest = max(path.stat().st_mtime_ns for path in (SOURCE, *SOURCE.iterdir()))
        if not built.exists() or built.stat().st_mtime_ns < newest:
            with step("building kalloc-table", LOGS / "userspace.log") as log:
                run(arch.tools().argv(["make", "-C", SOURCE, f"OUT={built.parent}", f"CC={arch.compiler}"]), log, "make")
            # make has nothing to do if a file only went away.
            built.touch()
    return built


def compiled(name: str, arch: Arch = X86) -> Path:
    """A program of tests/userspace/, a file or a folder, built if a source is newer."""
    folder, built = TREE / "tests" / "userspace", BUILD / "userspace" / arch.name / name
    sources = sorted((folder / name).glob("*.c")) or [folder / f"{name}.c"]
    built.parent.mkdir(parents=True, exist_ok=True)
    with store.lock(built.parent / "lock"):
        newest = max(path.stat().st_mtime_ns for path in (*sources, *HEADERS.glob("*.h"), *(folder / name).glob("*.h")))
        if not built.exists() or built.stat().st_mtime_ns < newest:
            with step(f"building {name}", LOGS / "userspace.log") as log:
                run(arch.tools().argv([arch.compiler, "-D_GNU_SOURCE", "-static", "-O2", "-Wall", "-Wextra", "-Werror",
                                       f"-I{HEADERS}", "-o", built, *sources]), log, arch.compiler)
    return built
