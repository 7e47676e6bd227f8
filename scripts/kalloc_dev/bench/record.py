# SPDX-License-Identifier: GPL-2.0-only
"""The recorded costs in Documentation/measured.json.

`scripts/kalloc bench --record` stores a run of all groups, for one of three kernels. The pages show
numbers by the roles and directives of Documentation/sphinx/measured.py, which read the record.
`make bench` compares the record with new results.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING, Any

from kalloc_dev.bench.bounds import BOUNDS, FIXED
from kalloc_dev.core import store
from kalloc_dev.core.paths import TREE
from rust_kbuild.console import say

if TYPE_CHECKING:
    from kalloc_dev.bench.bounds import Verdict
    from kalloc_dev.bench.lines import Part, Touched
    from kalloc_dev.bench.result import Result

RECORD = TREE / "Documentation/measured.json"
README = TREE / "README.md"
# The tolerated relative difference from the recorded cost. Some costs of vmalloc depend on the
# place of the block.
TOLERANCE = 0.05
# The tolerated difference in instructions, for costs of a few instructions.
LEAST = 1.0
ABOUT = ("release", "compiler", "rustc")
# Numbers of instructions on the pages that no role shows: they must be limits of bounds, or of rare
# events of C, which no benchmark repeats.
TYPED = re.compile(r"(?<![\w`.])([\d][\d,.]*) (?:more )?instructions")
RARE = {"600,000", "28,000"}
# The accounting of an allocation and its free, and the words for each of them.
WORDS = {2: "one", 4: "two"}
Costs = dict[str, dict[str, float]]


def costs(results: Iterable[Result]) -> Costs:
    """Returns the costs by scenario and parameter, and by side."""
    made: Costs = {}
    for result in results:
        name = f"{result.scenario}, {result.param}{', profiled' if result.profiling else ''}"
        made.setdefault(name, {})[result.side] = round(result.least, 1)
    return made


def read() -> dict[str, Any]:
    """Returns the record."""
    data: dict[str, Any] = json.loads(RECORD.read_text())
    return data


def record(about: dict[str, Any], results: Iterable[Result], verdicts: Iterable[Verdict]) -> None:
    """Stores a run of all groups, in place of the former one on the same kernel."""
    data = read()
    kept = {name: of for name, of in data["kernels"].get(about["kernel"], {}).items() if name in ("lines", "parts", "sizes")}
    data["kernels"][about["kernel"]] = {name: about[name] for name in ABOUT} | {
        "sources": sources(), "costs": costs(results),
        "bounds": {verdict.what: {"limit": verdict.limit, "measured": verdict.measured} for verdict in verdicts}} | kept
    _write(data)


def record_lines(kernel: str, touched: Iterable[Touched], parts: Iterable[Part], sizes: dict[str, int]) -> None:
    """Stores the cache lines of cases, the parts of a pair, and bytes of code, next to the costs on that kernel."""
    data = read()
    lines: Costs = {}
    for case in touched:
        for what, count in (("data", case.data), ("code", case.code)):
            lines.setdefault(f"{case.scenario}, {case.param}, {what}", {})[case.side] = count
    data["kernels"][kernel] |= {
        "lines": lines,
        "sizes": sizes,
        "parts": {part.name: {"instructions": part.instructions, "frames": part.frames} for part in parts}}
    _write(data)


def _write(data: dict[str, Any]) -> None:
    text = json.dumps(data, indent=1)
    # A line for each cost.
    text = re.sub(r"\{\s+([^{}]*?)\s+\}(?=,?\n)", lambda match: "{" + re.sub(r"\s*\n\s*", " ", match[1]) + "}", text)
    RECORD.write_text(text + "\n")


def changed(about: dict[str, Any], results: Iterable[Result], whole: bool) -> dict[str, str]:
    """Returns the recorded costs that differ from the results.

    With `whole`, a recorded cost without a result counts as well.
    """
    data = read()["kernels"].get(about["kernel"])
    if data is None:
        say(f"    not compared: {RECORD.name} has no run on {about['kernel']}")
        return {}
    if other := [f"{name} {data[name]}" for name in ABOUT if data[name] != about[name]]:
        say(f"    not compared with {RECORD.name}, which is of {', '.join(other)}")
        return {}
    now, said = costs(results), {}
    for name, sides in data["costs"].items():
        for side, cost in sides.items():
            new = now.get(name, {}).get(side)
            if new is None and whole or new is not None and abs(new - cost) > max(TOLERANCE * cost, LEAST):
                this = "this has none" if new is None else f"this is {new}"
                said[f"{name}, {side}"] = f"{RECORD.name} has {cost}, {this}: scripts/kalloc bench --record"
    return said


def sources() -> str:
    """Returns a hash of the measured sources."""
    return store.key_of(*(path.read_text() for top in ("rust", "bench") for path in sorted((TREE / top).rglob("*.[rch]*"))
                          if path.is_file()))


def stale() -> Iterator[str]:
    """Names the numbers on the pages that are not of the record."""
    bench = read()["kernels"]["bench"]
    if bench["sources"] != sources():
        say(f"    {RECORD.name} is of other sources: make bench compares it with these")
    pair = bench["costs"][f"{FIXED}, 64"]["kalloc"] - bench["costs"][f"{FIXED}, 64"]["uncounted"]
    claim = f"blocks of a fixed size, by {WORDS.get(round(pair), f'{pair / 2:.1f}')} instructions"
    if claim not in " ".join(README.read_text().split()):
        yield f"{README.name}: does not say '{claim} on x86_64', as {RECORD.name} does"
    limits = {form.format(bound.limit) for bound in BOUNDS for form in ("{:,.0f}", "{:.0f}")} | RARE
    for page in sorted((TREE / "Documentation").glob("*/*.rst")):
        for number in TYPED.findall(page.read_text()) if page.parent.name != "reports" else ():
            if number not in limits:
                yield f"{page.relative_to(TREE)}: {number} instructions: neither a bound nor of {RECORD.name} (role `measured`)"
