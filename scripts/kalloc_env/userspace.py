# SPDX-License-Identifier: GPL-2.0
"""The programs of samples/userspace/, which every guest has in /usr/bin."""

from pathlib import Path

from . import cache as store
from .paths import BUILD, LOGS, TREE
from .say import run, step
from .toolchain import toolchain

SOURCE = TREE / "samples" / "userspace"


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
