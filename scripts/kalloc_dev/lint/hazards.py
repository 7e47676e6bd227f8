# SPDX-License-Identifier: GPL-2.0-only
"""The hazards of Documentation/explanation/hazards.toml, and the tests that the pages name as evidence."""

import re
import tomllib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from kalloc_dev.test import runner

DATA = "Documentation/explanation/hazards.toml"
# Pages with tables whose last column names tests.
PAGES = ("accounting", "c-boundary", "memory-ordering")
KEYS = {"id": str, "group": str, "hazard": str, "how": str, "mechanism": str, "tests": list, "argument": str}
OPTIONAL = {"tests", "argument"}
HOW = ("type", "error")
# The prefixes of tests that are files.
KINDS = ("compile_fail", "test", "model")

ROW = re.compile(r"^   \* - (.*)\n(?:     [ -].*\n|     -\n)+", re.M)
NAMED = re.compile(r"(compile_fail|test|model)?\s*``(?:([\w/]+)\.)?([\w-]+)``(?:,|$)")


def read(root: Path) -> list[dict[str, Any]]:
    """Returns the hazards."""
    return list(tomllib.loads((root / DATA).read_text())["hazard"])


def wrong(root: Path, hazards: list[dict[str, Any]]) -> Iterator[str]:
    """Returns the hazards without evidence, the tests that do not exist, and malformed entries."""
    seen = [str(hazard.get("id", "")) for hazard in hazards]
    yield from (f"{DATA}: {number!r} is not a number H01 to H999" for number in seen if not re.fullmatch(r"H\d{2,3}", number))
    yield from (f"{DATA}: {number} occurs {seen.count(number)} times" for number in sorted(set(seen)) if seen.count(number) != 1)
    for number, hazard in zip(seen, hazards):
        yield from (f"{DATA}: {number}: unknown key {key}" for key in hazard if key not in KEYS)
        yield from (f"{DATA}: {number}: no {key}" for key, kind in KEYS.items()
                    if not (isinstance(hazard.get(key), kind) and hazard[key] or key in OPTIONAL))
        if hazard.get("how") not in HOW:
            yield f"{DATA}: {number}: how is none of {', '.join(HOW)}"
        if not hazard.get("tests") and not hazard.get("argument"):
            yield f"{DATA}: {number}: neither a test nor an argument"
        for test in hazard.get("tests", []):
            kind, _, name = test.partition("/")
            suite, _, case = test.rpartition(".")
            if not (exists(root, kind, "", name) if kind in KINDS else exists(root, "", suite, case)):
                yield f"{DATA}: {number}: no test {test}"


def absent(root: Path) -> Iterator[str]:
    """Returns the tests that a table of the pages names and the tree does not have."""
    for page in PAGES:
        for table in (root / f"Documentation/explanation/{page}.rst").read_text().split(".. list-table::")[1:]:
            header, *rows = [(row[1], " ".join(row[0].split("\n     -")[-1].split())) for row in ROW.finditer(table)]
            for name, tests in rows if header[1] == "Test" else []:
                yield from (f"{page}.rst: {name}: {problem}" for problem in unknown(root, tests))


def unknown(root: Path, tests: str) -> Iterator[str]:
    """Returns the tests of a cell that the tree does not have."""
    if tests and not NAMED.search(tests):
        yield f"no test in {tests!r}"
    kind = ""
    for stated, suite, name in NAMED.findall(tests):
        # A kind holds for the names that follow it, until one with a suite.
        kind = stated or ("" if suite else kind)
        if not exists(root, kind, suite, name):
            yield f"no test {kind or suite} {name}"


def exists(root: Path, kind: str, suite: str, name: str) -> bool:
    """Returns whether the tree has a test: a file of that kind, a test module, a section of guest.sh, or a case of a suite."""
    match kind:
        case "compile_fail":
            return (root / "tests/compile_fail" / f"{name}.rs").exists()
        case "test":
            return name in runner.modules()
        case "model":
            return (root / "tests/models" / f"{name}.litmus").exists()
    if suite == "guest":
        return re.search(rf"^section {name}\b", (root / "tests/kunit/guest.sh").read_text(), re.M) is not None
    path = root / "tests/kunit" / f"{suite}.rs"
    return path.exists() and f"fn {name}()" in path.read_text()
