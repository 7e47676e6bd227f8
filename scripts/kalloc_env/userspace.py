# SPDX-License-Identifier: GPL-2.0
"""The programs of samples/userspace/, which every guest has in /usr/bin, and those of tests/userspace/."""

from pathlib import Path

from . import cache as store
from .paths import BUILD, LOGS, TREE
from .say import run, step
from .toolchain import toolchain

SOURCE = TREE / "samples" / "userspace"
# What a sample tells user space about itself.
HEADERS = TREE / "samples" / "kv"


def program() -> Path:
    """kalloc-table, built if a source is newer."""
    built = BUILD / "userspace" / "kalloc-table"
    built.parent.mkdir(parents=True, exist_ok=True)
    with store.lock(built.parent / "lock"):
        newest = max(path.stat().st_mtime_ns for path in (SOURCE, *SOURCE.iterdir()))
        if not built.exists() or built.stat().st_mtime_ns < newest:
            with step("building kalloc-table", LOGS / "userspace.log") as log:
                run(toolchain().argv(["make", "-C", SOURCE, f"OUT={built.parent}"]), log, "make")
            # make has nothing to do if a file only went away.
            built.touch()
    return built


def compiled(name: str) -> Path:
    """A program of tests/userspace/, built if a source is newer."""
    source, built = TREE / "tests" / "userspace" / f"{name}.c", BUILD / "userspace" / name
    built.parent.mkdir(parents=True, exist_ok=True)
    with store.lock(built.parent / "lock"):
        newest = max(path.stat().st_mtime_ns for path in (source, *HEADERS.glob("*.h")))
        if not built.exists() or built.stat().st_mtime_ns < newest:
            with step(f"building {name}", LOGS / "userspace.log") as log:
                run(toolchain().argv(["gcc", "-D_GNU_SOURCE", "-static", "-O2", "-Wall", "-Wextra", "-Werror",
                                      f"-I{HEADERS}", "-o", built, source]), log, "gcc")
    return built
