# SPDX-License-Identifier: GPL-2.0-only
"""Paths of the tree and the cache, and the environment variables that change them.

The kernel's build system and QEMU cannot use a path with blanks, commas, colons and the like. A tree
at such a path is used through a link, which is a directory of its own inside the toolchain's root.
"""

import hashlib
import os
import re
from pathlib import Path

PLAIN = re.compile(r"[A-Za-z0-9_./+@-]+")
LINKS = Path(f"/tmp/kalloc-{os.geteuid()}")


def _mistake(problem: str) -> SystemExit:
    return SystemExit(f"error: {problem}")


def _tree(real: Path) -> Path:
    """Returns a path of the tree that all tools can use."""
    if PLAIN.fullmatch(str(real)):
        return real
    link = LINKS / _key(real)
    try:
        LINKS.mkdir(mode=0o700, exist_ok=True)
        if LINKS.lstat().st_uid != os.geteuid() or LINKS.is_symlink():
            raise _mistake(f"{LINKS} belongs to another user: move the tree to a path of plain characters, not {real}")
        if not link.is_symlink() or link.readlink() != real:
            new = LINKS / f"{link.name}.{os.getpid()}"
            new.symlink_to(real)
            new.replace(link)
    except OSError as error:
        raise _mistake(f"{error.filename}: {error.strerror}: move the tree to a path of plain characters, not {real}") from error
    return link


def _key(path: Path) -> str:
    return hashlib.sha256(os.fsencode(path)).hexdigest()[:12]


def _cache(tree: Path) -> Path:
    if not (own := os.environ.get("KALLOC_CACHE")):
        # An account without a home directory has a cache for each tree.
        base = os.environ.get("XDG_CACHE_HOME") or os.path.expanduser("~/.cache")
        own = os.path.join(base, "kalloc") if os.path.isabs(base) else str(tree / "build/cache")
    path = Path(os.path.expanduser(own)).resolve()
    if not PLAIN.fullmatch(str(path)):
        raise _mistake(f"{path}: make and QEMU cannot use this path: set KALLOC_CACHE to one of plain characters")
    return path


def _build(tree: Path, cache: Path) -> Path:
    """Returns the directory of all built files: in the cache if the tree is read-only."""
    build = tree / "build"
    return build if os.access(build if build.exists() else tree, os.W_OK) else cache / "builds" / _key(tree)


TREE = _tree(Path(__file__).resolve().parents[3])
CACHE = _cache(TREE)
BUILD = _build(TREE, CACHE)
LOGS = BUILD / "log"
FRAGMENTS = TREE / "scripts" / "configs"


def home() -> Path:
    """Returns the home directory of this account; that of nobody if it has none."""
    path = os.path.expanduser("~")
    return Path(path if os.path.isabs(path) else "/nonexistent")


def from_environment(name: str) -> Path | None:
    """Returns the directory in a variable such as KSRC, or None if it is not set."""
    value = os.environ.get(name)
    return Path(value).expanduser().resolve() if value else None
