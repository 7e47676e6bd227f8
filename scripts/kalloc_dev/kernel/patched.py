# SPDX-License-Identifier: GPL-2.0-only
"""The kernel's source with the changes of patches/."""

import os
import subprocess
from pathlib import Path

from kalloc_dev.core import store
from kalloc_dev.core.paths import TREE
from kalloc_dev.kernel import overlay
from rust_kbuild.console import Failure

PATCHES = TREE / "patches"


def patched(source: Path) -> Path:
    """Returns a copy of a source tree with all patches, made first if it is missing."""
    patches = sorted(PATCHES.glob("*.patch"))
    key = store.key_of(str(source), *(patch.read_text() for patch in patches))
    return store.entry("patched-source", key, lambda directory: _patch(source, directory / "linux", patches),
                       gigabytes=2.0) / "linux"


def _patch(source: Path, tree: Path, patches: list[Path]) -> None:
    overlay.link(source, tree)
    # Git must not take the directory for a part of a repository above it. It writes new files, so
    # that the linked ones stay.
    environment = {**os.environ, "GIT_CEILING_DIRECTORIES": str(tree.parent)}
    for patch in patches:
        done = subprocess.run(["git", "apply", "--unidiff-zero", patch], cwd=tree, env=environment, capture_output=True,
                              text=True, check=False)
        if done.returncode:
            raise Failure(f"{patch.name} does not apply to {source}: {done.stderr.strip()}")
