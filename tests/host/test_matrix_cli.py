# SPDX-License-Identifier: GPL-2.0-only
"""scripts/kalloc matrix lists its kernels, each with its options, and builds nothing after a usage
error.
"""

import re
import subprocess

import pytest

from kalloc_dev.core.paths import FRAGMENTS, TREE


def matrix(*words: str) -> subprocess.CompletedProcess[str]:
    """Calls the command."""
    return subprocess.run([TREE / "scripts/kalloc", "matrix", *words], capture_output=True, text=True, check=False)


def test_unknown_variant() -> None:
    """An unknown name is a usage error."""
    done = matrix("kcsan", "hurd")
    assert done.returncode == 2 and done.stderr.startswith("error: no variant hurd: there are debug, kcsan, "), done


@pytest.mark.parametrize("variant", ["debug", "kcsan", "hardened", "rt", "tiny", "modversions", "stock-7.2", "in-tree-riscv"])
def test_variants(variant: str) -> None:
    """The help lists each kernel, and those that are built have options."""
    assert re.search(rf"^  {variant}  *[a-zA-Z]", matrix("--help").stdout, re.M)
    assert "-" in variant or (FRAGMENTS / f"{variant}.config").exists()


def test_no_time() -> None:
    """A variant without time left is skipped; a run in which nothing passed is a failure."""
    done = matrix("--minutes", "0", "tiny")
    assert done.returncode == 1 and "0 passed, 0 failed, 1 skipped" in done.stdout.splitlines(), done
