# SPDX-License-Identifier: GPL-2.0-only
"""User-space programs: tests/userspace/, and samples/userspace/ in /usr/bin of every guest."""

from pathlib import Path

from kalloc_dev.core import store
from kalloc_dev.core.paths import BUILD, LOGS, TREE
from kalloc_dev.toolchain.arch import X86, Arch
from rust_kbuild.console import run, step

SOURCE = TREE / "samples" / "userspace"
# The headers of a sample for user space.
HEADERS = TREE / "samples" / "kv"


def program(arch: Arch = X86) -> Path:
    """Returns kalloc-table, built if a source is newer."""
    built = BUILD / "userspace" / arch.name / "kalloc-table"
    built.parent.mkdir(parents=True, exist_ok=True)
    with store.lock(built.parent / "lock"):
        newest = max(path.stat().st_mtime_ns for path in (SOURCE, *SOURCE.iterdir()))
        if not built.exists() or built.stat().st_mtime_ns < newest:
            with step("building kalloc-table", LOGS / "userspace.log") as log:
                run(arch.tools().argv(["make", "-C", SOURCE, f"OUT={built.parent}", f"CC={arch.compiler}"]), log, "make")
            # make does nothing if a file was only removed.
            built.touch()
    return built


def compiled(name: str, arch: Arch = X86) -> Path:
    """Returns a program of tests/userspace/, a file or a directory, built if a source is newer."""
    directory, built = TREE / "tests" / "userspace", BUILD / "userspace" / arch.name / name
    sources = sorted((directory / name).glob("*.c")) or [directory / f"{name}.c"]
    built.parent.mkdir(parents=True, exist_ok=True)
    with store.lock(built.parent / "lock"):
        newest = max(path.stat().st_mtime_ns for path in (*sources, *HEADERS.glob("*.h"), *(directory / name).glob("*.h")))
        if not built.exists() or built.stat().st_mtime_ns < newest:
            with step(f"building {name}", LOGS / "userspace.log") as log:
                run(arch.tools().argv([arch.compiler, "-D_GNU_SOURCE", "-static", "-O2", "-Wall", "-Wextra", "-Werror",
                                       f"-I{HEADERS}", "-o", built, *sources]), log, arch.compiler)
    return built
