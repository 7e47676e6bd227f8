# SPDX-License-Identifier: GPL-2.0-only
"""Mutants that scripts/kalloc mutants counts as noticed, and others. Its copy of the tree is always
restored.
"""

import subprocess
from argparse import Namespace
from math import inf
from pathlib import Path

import pytest

from kalloc_dev.core import git
from kalloc_dev.test import mutants
from rust_kbuild.console import Failure

# REUSE-IgnoreStart
HEADER = "SPDX-License-Identifier: GPL-2.0-only\n\nIt is two.\n\nTest: look {0}\nSays: {1}\n---\n"
# REUSE-IgnoreEnd
DIFF = "diff --git a/number b/number\n--- a/number\n+++ b/number\n@@ -1 +1 @@\n-one\n+two\n"
# Prints the number, and fails unless it is one; or does not compile, or never passes.
LOOK = """#!/bin/sh
case $1 in
strict) [ ! -e mask ] || { echo "masked"; exit 1; }
        echo "the number is $(cat number)"; grep -q one number ;;
broken) grep -q one number || { echo "error: make failed with status 2 (log: somewhere)"; exit 1; } ;;
blind) ;;
failing) false ;;
esac
"""


class Place:
    """A small tree with patches, of which the command makes a copy."""

    def __init__(self, directory: Path, patch: pytest.MonkeyPatch) -> None:
        self.tree, self.patches, self.copy = directory / "tree", directory / "patches", directory / "build" / "tree"
        self.tree.mkdir()
        self.patches.mkdir()
        (self.tree / "number").write_text("one\n")
        (self.tree / "look").write_text(LOOK)
        (self.tree / "look").chmod(0o755)
        subprocess.run(["git", "init", "-q", self.tree], check=True)
        patch.setattr(git, "TREE", self.tree)
        for name, value in (("TREE", self.tree), ("PATCHES", self.patches), ("COPY", self.copy), ("LOGS", directory / "log")):
            patch.setattr(mutants, name, value)

    def outcomes(self, test: str, says: str = "^the number is two$", diff: str = DIFF) -> list[str]:
        """Returns the results of the cases of one defect. The copy must then equal the tree."""
        (self.patches / "number.patch").write_text(HEADER.format(test, says) + diff)
        mutants.refresh(self.copy)
        cases = list(mutants.every([mutants.read(self.patches / "number.patch")], self.copy))
        assert (self.copy / "number").read_text() == "one\n"
        return [f"{case.outcome} {case.detail}" for case in cases]


def refused(*words: str) -> tuple[str, int | None]:
    """Returns the error message and the status after a usage error."""
    try:
        mutants.main(Namespace(names=list(words), minutes=inf))
    except Failure as failure:
        return str(failure), failure.status
    return "", 0


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    """A tree with one patch."""
    return Place(tmp_path, monkeypatch)


def test_noticed(place: Place) -> None:
    """A mutant is noticed if the command fails with the output that its patch names."""
    assert place.outcomes("strict") == ["passed ", "passed "]
    assert not list(mutants.unfit())


def test_failed_otherwise(place: Place) -> None:
    """A command that fails with another message does not notice it."""
    _, other = place.outcomes("strict", "^the number is three$")
    assert other.startswith("failed ") and "the test fails, but does not say" in other, other


def test_passed_with_it(place: Place) -> None:
    """A command that passes does not notice it either."""
    _, blind = place.outcomes("blind")
    assert blind.startswith("failed ") and "the test passes all the same" in blind, blind


def test_does_not_compile(place: Place) -> None:
    """A mutant that does not compile is not noticed."""
    _, broken = place.outcomes("broken")
    assert broken.startswith("failed ") and "it is not noticed, but does not compile" in broken, broken


def test_failed_without_it(place: Place) -> None:
    """A command that fails without the mutant skips it."""
    control, without = place.outcomes("failing")
    assert control.startswith("failed") and without.startswith("skipped"), (control, without)


def test_does_not_apply(place: Place) -> None:
    """A patch that does not apply is a failure."""
    _, unfit = place.outcomes("strict", diff=DIFF.replace("-one", "-three"))
    assert unfit.startswith("failed ") and "the patch does not apply" in unfit, unfit
    assert "does not apply" in next(mutants.unfit())


def test_take_turns(place: Place) -> None:
    """Two mutants of the same line run one after the other; one that applies nowhere does not stop
    the others.
    """
    place.outcomes("strict", diff=DIFF.replace("-one", "-three"))
    for name in ("three", "four"):
        (place.patches / f"{name}.patch").write_text(
            HEADER.format("strict", f"^the number is {name}$") + DIFF.replace("+two", f"+{name}"))
    planted = [mutants.read(place.patches / f"{name}.patch") for name in ("number", "three", "four")]
    outcomes = {case.name: case.outcome for case in mutants.together(planted, place.copy)}
    assert outcomes == {"number": "failed", "three": "passed", "four": "passed"}, outcomes
    assert (place.copy / "number").read_text() == "one\n"


def test_hidden(place: Place) -> None:
    """A mutant that another one hides runs again without it; one that is never noticed fails."""
    mask = "diff --git a/mask b/mask\nnew file mode 100644\n--- /dev/null\n+++ b/mask\n@@ -0,0 +1 @@\n+two\n"
    place.outcomes("strict")
    for name, says, diff in (("mask", "^masked$", mask), ("unseen", "^unseen$", mask.replace("/mask", "/unseen"))):
        (place.patches / f"{name}.patch").write_text(HEADER.format("strict", says) + diff)
    planted = [mutants.read(place.patches / f"{name}.patch") for name in ("unseen", "number", "mask")]
    outcomes = {case.name: case.outcome for case in mutants.together(planted, place.copy)}
    assert outcomes == {"mask": "passed", "number": "passed", "unseen": "failed"}, outcomes
    assert (place.copy / "number").read_text() == "one\n" and not (place.copy / "mask").exists()


def test_copy_is_refreshed(place: Place) -> None:
    """The leftovers of an interrupted run are removed; equal files keep their times."""
    place.outcomes("strict")
    (place.copy / "number").write_text("two\n")
    (place.copy / "left").write_text("over\n")
    before = (place.copy / "look").stat().st_mtime_ns
    mutants.refresh(place.copy)
    assert (place.copy / "number").read_text() == "one\n" and not (place.copy / "left").exists()
    assert (place.copy / "look").stat().st_mtime_ns == before


def test_mistakes(place: Place) -> None:
    """A wrong name or header is rejected."""
    place.outcomes("strict")
    assert refused("pi") == ("no defect pi: there are number", 2)
    (place.patches / "number.patch").write_text(DIFF)
    assert refused("number")[0].startswith("number.patch does not begin with"), refused("number")
    (place.patches / "number.patch").write_text(HEADER.format("strict", "(") + DIFF)
    assert "no regular expression" in refused("number")[0]
