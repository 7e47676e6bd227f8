# SPDX-License-Identifier: GPL-2.0-only
"""The results of tests."""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from xml.etree import ElementTree

OUTCOMES = ("passed", "failed", "skipped")
# The status of a command whose tests were all skipped.
SKIP = 77


@dataclass
class Case:
    """A test that passed, failed or was skipped, and the details of that."""

    name: str
    outcome: str
    detail: str = ""
    # The work done in it, in numbers.
    figures: str = ""
    seconds: float = 0.0


def said(cases: Iterable[Case]) -> str:
    """Returns the numbers of passed, failed and skipped cases."""
    outcomes = [case.outcome for case in cases]
    return ", ".join(f"{outcomes.count(outcome)} {outcome}" for outcome in OUTCOMES)


def done(cases: Iterable[Case]) -> str:
    """Returns the work done in all cases; numbers of the same kind are added up."""
    sums: dict[str, int] = {}
    for case in cases:
        for part in filter(None, case.figures.split(", ")):
            number, _, kind = part.partition(" ")
            sums[kind] = sums.get(kind, 0) + int(number)
    return ", ".join(f"{number} {kind}" for kind, number in sums.items())


def late(name: str) -> Iterator[Case]:
    """Yields a case that was skipped for lack of time."""
    yield Case(name, "skipped", "    there is no time left\n")


def again(cases: Iterable[Case]) -> str:
    """Returns the failed cases with their details, for the end of a log."""
    failed = [f"  {case.name}\n{case.detail}" for case in cases if case.outcome == "failed"]
    return "failed:\n" + "".join(failed) if failed else ""


def status(cases: Iterable[Case]) -> int:
    """Returns the status of a command: 0 if no case failed and one passed."""
    outcomes = {case.outcome for case in cases}
    return 0 if "passed" in outcomes and "failed" not in outcomes else 1


def write_junit(cases: Sequence[Case], file: Path) -> None:
    """Writes the cases as a JUnit XML report."""
    count = {outcome: str(sum(case.outcome == outcome for case in cases)) for outcome in OUTCOMES}
    suite = ElementTree.Element("testsuite", name="kalloc", tests=str(len(cases)), failures=count["failed"],
                                skipped=count["skipped"], errors="0")
    for case in cases:
        group, _, name = case.name.partition("::") if "::" in case.name else case.name.rpartition(".")
        one = ElementTree.SubElement(suite, "testcase", classname=group, name=name, time=f"{case.seconds:.3f}")
        if case.outcome != "passed":
            kind = "failure" if case.outcome == "failed" else "skipped"
            # XML 1.0 excludes all other control characters.
            text = re.sub(r"[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]", "?", case.detail)
            ElementTree.SubElement(one, kind, message=text.strip().partition("\n")[0]).text = text
    root = ElementTree.Element("testsuites")
    root.append(suite)
    file.parent.mkdir(parents=True, exist_ok=True)
    ElementTree.ElementTree(root).write(file, encoding="utf-8", xml_declaration=True)
