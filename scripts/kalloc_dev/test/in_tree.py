# SPDX-License-Identifier: GPL-2.0-only
"""The verdict on a run of kunit.py.

No case may fail, the log may have no warning, and only the cases in tests/kunit/skips.toml may be
skipped, each for the reason that is stated there.
"""

import re
import tomllib
from collections.abc import Iterator
from fnmatch import fnmatch
from pathlib import Path

from kalloc_dev.core.paths import TREE
from kalloc_dev.test import dmesg, kunit, kunit_tool
from kalloc_dev.test.result import Case

SKIPS = TREE / "tests" / "kunit" / "skips.toml"
SUITE = re.compile(r"^#\[kunit_tests\((\w+)\)\]$", re.M)
# The limit of a run on an idle machine. Only the guest's processor time is independent of other programs.
SECONDS = 60


def verdict(target: str) -> Iterator[Case]:
    """Runs the suites of a target; yields its cases."""
    result = kunit_tool.run(target)
    log = kunit_tool.log(target)
    where = f"    log: {log}\n"
    yield _case(f"{target}: kunit.py succeeds", f"status {result.status}" if result.status else "", where)
    yield _case(f"{target}: takes at most {SECONDS} s of processors",
                f"{result.seconds:.0f} s" if result.seconds > SECONDS else "", where)
    if not log.exists():
        return
    text = log.read_text(errors="replace")
    cases = list(kunit_tool.cases(text))
    yield from (Case(f"{target}: {case.name}", case.outcome, case.detail) for case in cases)

    declared = {name for file in _sources(target) for name in SUITE.findall(file.read_text())}
    ran = {case.name.partition(".")[0] for case in cases}
    yield _case(f"{target}: all suites ran", "".join(f"not run: {name}\n" for name in sorted(declared - ran)), where)

    skipped = {case.name: case.detail.strip() for case in cases if case.outcome == "skipped"}
    yield _case(f"{target}: the skipped cases are those of {SKIPS.name}", "".join(unlisted(target, skipped)), where)
    yield _case(f"{target}: the kernel log", "\n".join(dmesg.offending(f"{dmesg.START}\n{text}", kunit.SUITES_SAY)), where)


def _sources(target: str) -> Iterator[Path]:
    """Yields the files with the suites of a target."""
    for file in (TREE / "tests/kunit").rglob("*.rs"):
        if "built_in" not in file.parts or not kunit_tool.TARGETS[target].modules:
            yield file


def unlisted(target: str, skipped: dict[str, str]) -> Iterator[str]:
    """Names the skipped cases without an entry in the list, and the entries without a skipped case."""
    entries = [(pattern, entry["reason"]) for entry in tomllib.loads(SKIPS.read_text())["skip"]
               if any(fnmatch(target, name) for name in entry.get("targets", ["*"])) for pattern in entry["cases"]]
    for name, reason in skipped.items():
        if not any(fnmatch(name, pattern) and reason == stated for pattern, stated in entries):
            yield f"{name}: skipped, not listed: {reason}\n"
    for pattern, stated in entries:
        if not any(fnmatch(name, pattern) for name in skipped):
            yield f"{pattern}: listed, not skipped: {stated}\n"


def _case(name: str, complaint: str, where: str) -> Case:
    return Case(name, "failed", f"    {complaint}\n{where}") if complaint else Case(name, "passed")
