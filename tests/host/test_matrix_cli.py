# SPDX-License-Identifier: GPL-2.0
"""scripts/kalloc matrix knows its kernels, each of which has its options, and builds none for a mistake."""

import re
import subprocess

import pytest

from kalloc_dev.core.paths import FRAGMENTS, TREE


def matrix(*words: str) -> subprocess.CompletedProcess[str]:
    """Calls it."""
    return subprocess.run([TREE / "scripts/kalloc", "matrix", *words], capture_output=True, text=True, check=False)


def test_unknown_variant() -> None:
    """A name that is none is a mistake."""
    done = matrix("kcsan", "hurd")
    assert done.returncode == 2 and done.stderr.startswith("error: no variant hurd: there are debug, kcsan, "), done


@pytest.mark.parametrize("variant", ["debug", "kcsan", "hardened", "rt", "tiny", "modversions", "stock-7.2"])
def test_variants(variant: str) -> None:
    """The help has each, and those that are built have options."""
    assert re.search(rf"^  {variant}  *[a-zA-Z]", matrix("--help").stdout, re.M)
    assert "-" in variant or (FRAGMENTS / f"{variant}.config").exists()


def test_no_time() -> None:
    """A variant without time left is skipped; a run that passed nothing is no success."""
    done = matrix("--minutes", "0", "tiny")
    assert done.returncode == 1 and "0 passed, 0 failed, 1 skipped" in done.stdout.splitlines(), done
