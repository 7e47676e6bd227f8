# SPDX-License-Identifier: GPL-2.0-only
"""Paths of the tree and the cache, and the environment variables that change them."""

import os
from pathlib import Path

TREE = Path(__file__).resolve().parents[3]
BUILD = TREE / "build"
LOGS = BUILD / "log"
FRAGMENTS = TREE / "scripts" / "configs"


def _cache() -> Path:
    if own := os.environ.get("KALLOC_CACHE"):
        return Path(own).expanduser().resolve()
    base = os.environ.get("XDG_CACHE_HOME") or "~/.cache"
    return Path(base).expanduser().resolve() / "kalloc"


CACHE = _cache()


def from_environment(name: str) -> Path | None:
    """Returns the directory in a variable such as KSRC, or None if it is not set."""
    value = os.environ.get(name)
    return Path(value).expanduser().resolve() if value else None
