# SPDX-License-Identifier: GPL-2.0
"""Keyed entries: made once, found by what they were made from, shared by every clone.

An entry is the folder `<name>-<key>`. It is complete when its stamp is there; what an
interrupted run left has none and is made again, or resumed, under a lock that a
concurrent run waits for.
"""

import fcntl
import hashlib
import os
import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from kalloc_dev.core.paths import CACHE
from kalloc_dev.core.sandbox import as_root
from rust_kbuild.console import Failure, say

STAMP = ".complete"


class Missing(Exception):
    """An entry that is not there, when one only looks; and the gigabytes that it will take."""

    def __init__(self, gigabytes: float) -> None:
        super().__init__()
        self.gigabytes = gigabytes


class _Use:
    """Which entries this process has asked for, and whether it may make them."""

    names: set[str] = set()
    look_only = False


def key_of(*inputs: str) -> str:
    """A short name for these inputs."""
    return hashlib.sha256("\0".join(inputs).encode()).hexdigest()[:12]


@contextmanager
def lock(path: Path) -> Iterator[None]:
    """Holds the lock file `path`, waiting for whoever has it."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say(f"    waiting for another run ({path.name})")
            fcntl.flock(file, fcntl.LOCK_EX)
        yield


def entry(name: str, key: str, make: Callable[[Path], None], *,
          resume: bool = False, always: bool = False, gigabytes: float = 0) -> Path:
    """The folder of an entry, made by `make(folder)` if it is not complete.

    With `resume`, `make` gets the folder as an interrupted run left it; with `always`, as it is.
    """
    folder = CACHE / f"{name}-{key}"
    stamp = folder / STAMP
    _Use.names.add(folder.name)
    if stamp.exists() and not always:
        return folder
    if _Use.look_only:
        raise Missing(gigabytes)
    with lock(CACHE / "lock" / folder.name):
        if stamp.exists() and not always:
            return folder
        if folder.exists() and not (resume or always):
            remove(folder)
        folder.mkdir(parents=True, exist_ok=True)
        need_room(gigabytes)
        make(folder)
        stamp.touch()
    return folder


def made(name: str, key: str) -> Path | None:
    """The folder of an entry that is complete; else None."""
    folder = CACHE / f"{name}-{key}"
    return folder if (folder / STAMP).exists() else None


def look(*questions: Callable[[], object]) -> tuple[set[str], float]:
    """The entries that these would use, and the gigabytes that the missing ones will take; makes none."""
    gigabytes = 0.0
    _Use.look_only = True
    for question in questions:
        try:
            question()
        except Missing as missing:
            gigabytes += missing.gigabytes
    _Use.look_only = False
    return _Use.names, gigabytes


def need_room(gigabytes: float) -> None:
    """Fails if the cache's disk has less than this left."""
    CACHE.mkdir(parents=True, exist_ok=True)
    free = shutil.disk_usage(CACHE).free / 1e9
    if free < gigabytes:
        raise Failure(
            f"{CACHE} has {free:.1f} GB free and needs {gigabytes:.1f} GB: "
            "make room, or set KALLOC_CACHE to a folder on another disk"
        )


def remove(folder: Path) -> None:
    """Removes a folder of the cache, whoever of our sub-users owns its files."""
    trash = folder.with_name(f".trash-{folder.name}-{os.getpid()}")
    folder.rename(trash)
    subprocess.run(as_root(["rm", "-rf", "--one-file-system", str(trash)]), check=True)
