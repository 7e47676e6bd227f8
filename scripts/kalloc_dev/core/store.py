# SPDX-License-Identifier: GPL-2.0-only
"""Keyed cache entries: made once, found by their inputs, and shared by every clone.

An entry is the directory `<name>-<key>`. It is complete if it has a stamp. An interrupted run
leaves an entry without a stamp, which the next run makes again or resumes. A lock makes concurrent
runs wait.
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
    """A missing entry, found without the permission to make it, and the gigabytes that it needs."""

    def __init__(self, gigabytes: float) -> None:
        super().__init__()
        self.gigabytes = gigabytes


class _Use:
    """The entries that this process has requested, and the permission to make them."""

    names: set[str] = set()
    look_only = False


def key_of(*inputs: str) -> str:
    """Returns a hash of these inputs."""
    return hashlib.sha256("\0".join(inputs).encode()).hexdigest()[:12]


@contextmanager
def lock(path: Path) -> Iterator[None]:
    """Holds the lock file `path`, after a wait for its present holder."""
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
    """Returns the directory of an entry, made by `make(directory)` if it is not complete.

    With `resume`, `make` gets the directory as an interrupted run left it. With `always`, `make`
    runs even if the entry is complete.
    """
    directory = CACHE / f"{name}-{key}"
    stamp = directory / STAMP
    _Use.names.add(directory.name)
    if stamp.exists() and not always:
        return directory
    if _Use.look_only:
        raise Missing(gigabytes)
    with lock(CACHE / "lock" / directory.name):
        if stamp.exists() and not always:
            return directory
        if directory.exists() and not (resume or always):
            remove(directory)
        directory.mkdir(parents=True, exist_ok=True)
        need_room(gigabytes)
        make(directory)
        stamp.touch()
    return directory


def made(name: str, key: str) -> Path | None:
    """Returns the directory of a complete entry, or None."""
    directory = CACHE / f"{name}-{key}"
    return directory if (directory / STAMP).exists() else None


def look(*questions: Callable[[], object]) -> tuple[set[str], float]:
    """Returns the entries that these functions use, and the size of missing ones in gigabytes.

    No entry is made.
    """
    gigabytes = 0.0
    _Use.look_only = True
    for question in questions:
        try:
            question()
        except Missing as missing:
            gigabytes += missing.gigabytes
    _Use.look_only = False
    return _Use.names, gigabytes


def need_room(gigabytes: float, directory: Path = CACHE) -> None:
    """Fails if the disk of a directory, the cache or the tree, has less free space."""
    directory.mkdir(parents=True, exist_ok=True)
    free = shutil.disk_usage(directory).free / 1e9
    if free < gigabytes:
        remedy = "set KALLOC_CACHE to a directory" if directory == CACHE else "move the tree to one"
        raise Failure(f"{directory} has {free:.1f} GB free and needs {gigabytes:.1f} GB: make room, or {remedy} on another disk")


def remove(directory: Path) -> None:
    """Removes a directory of the cache, including files of subordinate users."""
    trash = directory.with_name(f".trash-{directory.name}-{os.getpid()}")
    directory.rename(trash)
    subprocess.run(as_root(["rm", "-rf", "--one-file-system", str(trash)]), check=True)
