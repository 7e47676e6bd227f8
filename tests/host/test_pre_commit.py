# SPDX-License-Identifier: GPL-2.0-only
"""The pre-commit hook checks the staged files, not those in the tree."""

import os
import subprocess
import tempfile

from kalloc_dev.core.paths import TREE

# A file that is only staged, or only in the tree.
NEW = "scripts/kalloc_dev/staged.py"
# REUSE-IgnoreStart
CLEAN, BAD = "# SPDX-License-Identifier: GPL-2.0-only\n", "print('no licence')\n"
# REUSE-IgnoreEnd


def git(*words: str, given: str = "", **env: str) -> str:
    """Returns the output of git."""
    return subprocess.run(["git", *words], cwd=TREE, env=os.environ | env, input=given, text=True, check=True,
                          stdout=subprocess.PIPE).stdout.strip()


def hook(staged: str) -> "subprocess.CompletedProcess[str]":
    """Runs the hook with the whole tree staged, and that file with this text."""
    with tempfile.TemporaryDirectory() as directory:
        # A separate index: the tree's own is not modified.
        index = {"GIT_INDEX_FILE": f"{directory}/index"}
        git("add", "--all", **index)
        blob = git("hash-object", "-w", "--stdin", given=staged)
        git("update-index", "--add", "--cacheinfo", f"100644,{blob},{NEW}", **index)
        return subprocess.run([TREE / "scripts/pre-commit", "licence"], cwd=TREE, env=os.environ | index, text=True,
                              check=False, stderr=subprocess.PIPE)


def test_staged_file_is_refused() -> None:
    """A file that is only staged is checked."""
    refused = hook(BAD)
    assert refused.returncode == 1 and f"{NEW}: no SPDX line" in refused.stderr, refused
    assert not (TREE / NEW).exists(), "it is in the tree"


def test_staged_file_is_accepted() -> None:
    """A file without an error is accepted."""
    accepted = hook(CLEAN)
    assert accepted.returncode == 0 and "licence: clean" in accepted.stderr, accepted
