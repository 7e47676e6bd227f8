# SPDX-License-Identifier: GPL-2.0-only
"""The files of this tree."""

import subprocess
from pathlib import Path

from kalloc_dev.core.paths import TREE


def files(*patterns: str) -> list[Path]:
    """Returns the files of this tree, tracked or new, that match."""
    listing = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", "--", *patterns],
        cwd=TREE, capture_output=True, text=True, check=True).stdout
    return [path for name in listing.split("\0") if name and (path := TREE / name).is_file()]
