# SPDX-License-Identifier: GPL-2.0-only
"""Misuse fails to compile: each file of tests/compile_fail/ names the expected error."""

from pathlib import Path

import pytest

from kalloc_dev.core.prepare import set_up
from kalloc_dev.modules import kbuild
from kalloc_dev.test import misuse

# The crate, and the module whose flags the cases are compiled with.
NEEDED = ("kalloc", "kalloc_exercise")


@pytest.fixture(scope="module")
def tree() -> kbuild.BuildTree:
    """Returns the stock kernel's tree, with the modules that the cases need."""
    stock, = set_up("stock")
    tree = kbuild.tree_of(stock)
    kbuild.build(tree, NEEDED)
    return tree


@pytest.fixture(scope="module")
def scratch(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Returns a directory for objects."""
    return tmp_path_factory.mktemp("compile_fail")


@pytest.mark.parametrize("case", [pytest.param(path, id=path.stem) for path in sorted(misuse.CASES.glob("*.rs"))])
def test_misuse(tree: kbuild.BuildTree, scratch: Path, case: Path) -> None:
    """The compiler rejects the case with its error; a case without an error compiles."""
    complaint = misuse.complaint(tree, case, scratch)
    if complaint:
        print(f"WRONG {case.stem}\n{complaint}")
    assert not complaint
