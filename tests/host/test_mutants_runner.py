# SPDX-License-Identifier: GPL-2.0
"""What scripts/kalloc mutants takes for noticed, and what it does not; its copy is the tree's again whatever happens."""

import subprocess
from argparse import Namespace
from math import inf
from pathlib import Path

import pytest

from kalloc_dev.core import git
from kalloc_dev.test import mutants
from rust_kbuild.console import Failure

# REUSE-IgnoreStart
HEADER = "SPDX-License-Identifier: GPL-2.0\n\nIt is two.\n\nTest: look {0}\nSays: {1}\n---\n"
# REUSE-IgnoreEnd
DIFF = "diff --git a/number b/number\n--- a/number\n+++ b/number\n@@ -1 +1 @@\n-one\n+two\n"
# Says what the number is, and fails unless it is one; or does not compile at all, or never passes.
LOOK = """#!/bin/sh
case $1 in
strict) echo "the number is $(cat number)"; grep -q one number ;;
broken) grep -q one number || { echo "error: make failed with status 2 (log: somewhere)"; exit 1; } ;;
blind) ;;
failing) false ;;
esac
"""


class Place:
    """A small tree, with patches, of which a copy is made."""

    def __init__(self, folder: Path, patch: pytest.MonkeyPatch) -> None:
        self.tree, self.patches, self.copy = folder / "tree", folder / "patches", folder / "build" / "tree"
        self.tree.mkdir()
        self.patches.mkdir()
        (self.tree / "number").write_text("one\n")
        (self.tree / "look").write_text(LOOK)
        (self.tree / "look").chmod(0o755)
        subprocess.run(["git", "init", "-q", self.tree], check=True)
        patch.setattr(git, "TREE", self.tree)
        for name, value in (("TREE", self.tree), ("PATCHES", self.patches), ("COPY", self.copy), ("LOGS", folder / "log")):
            patch.setattr(mutants, name, value)

    def outcomes(self, test: str, says: str = "^the number is two$", diff: str = DIFF) -> list[str]:
        """How the cases of one defect end; the copy must then be what the tree is."""
        (self.patches / "number.patch").write_text(HEADER.format(test, says) + diff)
        mutants.refresh(self.copy)
        cases = list(mutants.every([mutants.read(self.patches / "number.patch")], self.copy))
        assert (self.copy / "number").read_text() == "one\n"
        return [f"{case.outcome} {case.detail}" for case in cases]


def refused(*words: str) -> tuple[str, int | None]:
    """What the command says of a mistake, and its status."""
    try:
        mutants.main(Namespace(names=list(words), minutes=inf))
    except Failure as failure:
        return str(failure), failure.status
    return "", 0


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Place:
    """A tree of one patch."""
    return Place(tmp_path, monkeypatch)


def test_noticed(place: Place) -> None:
    """A mutant is noticed if the command fails as its patch says."""
    assert place.outcomes("strict") == ["passed ", "passed "]
    assert not list(mutants.unfit())


def test_failed_otherwise(place: Place) -> None:
    """A command that fails otherwise does not notice it."""
    _, other = place.outcomes("strict", "^the number is three$")
    assert other.startswith("failed ") and "the test fails, but does not say" in other, other


def test_passed_with_it(place: Place) -> None:
    """Nor does a command that passes."""
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
    """Two mutants of the same line take turns; one that applies nowhere does not keep them from theirs."""
    place.outcomes("strict", diff=DIFF.replace("-one", "-three"))
    for name in ("three", "four"):
        (place.patches / f"{name}.patch").write_text(
            HEADER.format("strict", f"^the number is {name}$") + DIFF.replace("+two", f"+{name}"))
    planted = [mutants.read(place.patches / f"{name}.patch") for name in ("number", "three", "four")]
    outcomes = {case.name: case.outcome for case in mutants.together(planted, place.copy)}
    assert outcomes == {"number": "failed", "three": "passed", "four": "passed"}, outcomes
    assert (place.copy / "number").read_text() == "one\n"


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
    """A wrong name or header is refused."""
    place.outcomes("strict")
    assert refused("pi") == ("no defect pi: there are number", 2)
    (place.patches / "number.patch").write_text(DIFF)
    assert refused("number")[0].startswith("number.patch does not begin with"), refused("number")
    (place.patches / "number.patch").write_text(HEADER.format("strict", "(") + DIFF)
    assert "no regular expression" in refused("number")[0]
