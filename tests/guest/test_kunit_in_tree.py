# SPDX-License-Identifier: GPL-2.0-only
"""The KUnit suites built into the kernel, run by the kernel's own kunit.py.

No case may fail, the log may have no warning, and only the cases in tests/kunit/skips.toml may be skipped, each for the
reason that is stated there. On User-Mode Linux; with --every, on all targets.
"""

import re
import tomllib
from collections.abc import Iterator
from fnmatch import fnmatch

import pytest

from kalloc_dev.core.paths import TREE
from kalloc_dev.test import dmesg, kunit, kunit_tool
from kalloc_dev.test.plugin import Reporter
from kalloc_dev.test.result import Case

# The first run builds a kernel.
pytestmark = pytest.mark.long

SKIPS = TREE / "tests" / "kunit" / "skips.toml"
SUITE = re.compile(r"^#\[kunit_tests\((\w+)\)\]$", re.M)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Runs the test on User-Mode Linux, and with --every on each target."""
    every = metafunc.config.getoption("--every")
    metafunc.parametrize("target", kunit_tool.TARGETS if every else ["um"])


def test_suites(target: str, report: Reporter) -> None:
    """Reports each case, the suites that must exist, and the log."""
    report(verdict(target))


def verdict(target: str) -> Iterator[Case]:
    """Runs the suites of a target; yields its cases."""
    status = kunit_tool.run(target)
    log = kunit_tool.log(target)
    where = f"    log: {log}\n"
    yield _case(f"{target}: kunit.py succeeds", f"status {status}" if status else "", where)
    text = log.read_text(errors="replace")
    cases = list(kunit_tool.cases(text))
    yield from (Case(f"{target}: {case.name}", case.outcome, case.detail) for case in cases)

    declared = {name for file in (TREE / "tests/kunit").rglob("*.rs") for name in SUITE.findall(file.read_text())}
    ran = {case.name.partition(".")[0] for case in cases}
    yield _case(f"{target}: all suites ran", "".join(f"not run: {name}\n" for name in sorted(declared - ran)), where)

    skipped = {case.name: case.detail.strip() for case in cases if case.outcome == "skipped"}
    yield _case(f"{target}: the skipped cases are those of {SKIPS.name}", "".join(unlisted(target, skipped)), where)
    yield _case(f"{target}: the kernel log", "\n".join(dmesg.offending(f"{dmesg.START}\n{text}", kunit.SUITES_SAY)), where)


def unlisted(target: str, skipped: dict[str, str]) -> Iterator[str]:
    """Names the skipped cases without an entry in the list, and the entries without a skipped case."""
    entries = [(pattern, entry["reason"]) for entry in tomllib.loads(SKIPS.read_text())["skip"]
               if target in entry.get("targets", [target]) for pattern in entry["cases"]]
    for name, reason in skipped.items():
        if not any(fnmatch(name, pattern) and reason == stated for pattern, stated in entries):
            yield f"{name}: skipped, not listed: {reason}\n"
    for pattern, stated in entries:
        if not any(fnmatch(name, pattern) for name in skipped):
            yield f"{pattern}: listed, not skipped: {stated}\n"


def _case(name: str, complaint: str, where: str) -> Case:
    return Case(name, "failed", f"    {complaint}\n{where}") if complaint else Case(name, "passed")
