# SPDX-License-Identifier: GPL-2.0
"""How one test ended."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass

OUTCOMES = ("passed", "failed", "skipped")


@dataclass
class Case:
    """A test that passed, failed or was skipped, and what is to say about it."""

    name: str
    outcome: str
    detail: str = ""
    # What was done in it, in numbers.
    figures: str = ""


def said(cases: Iterable[Case]) -> str:
    """How many passed, failed and were skipped."""
    outcomes = [case.outcome for case in cases]
    return ", ".join(f"{outcomes.count(outcome)} {outcome}" for outcome in OUTCOMES)


def done(cases: Iterable[Case]) -> str:
    """What was done in all of them, in numbers: what there is of a kind is added up."""
    sums: dict[str, int] = {}
    for case in cases:
        for part in filter(None, case.figures.split(", ")):
            number, _, kind = part.partition(" ")
            sums[kind] = sums.get(kind, 0) + int(number)
    return ", ".join(f"{number} {kind}" for kind, number in sums.items())


def late(name: str) -> Iterator[Case]:
    """What is not begun any more."""
    yield Case(name, "skipped", "    there is no time left\n")


def again(cases: Iterable[Case]) -> str:
    """The failed ones and why, as the last to read: a log's end is what people are shown."""
    failed = [f"  {case.name}\n{case.detail}" for case in cases if case.outcome == "failed"]
    return "failed:\n" + "".join(failed) if failed else ""


def status(cases: Iterable[Case]) -> int:
    """A command's: 0 if none failed and one passed."""
    outcomes = {case.outcome for case in cases}
    return 0 if "passed" in outcomes and "failed" not in outcomes else 1
