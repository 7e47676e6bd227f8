# SPDX-License-Identifier: GPL-2.0-only
"""The measured costs in Documentation/reference/allocators.rst.

`scripts/kalloc bench --record` stores the results and their origin. It generates the page's table
and sentences from them: no number in them is typed. `make check` compares the page with the record,
and `make bench` compares the record with new results.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from kalloc_dev.bench.bounds import BULK, FASTPATH, ONE_BY_ONE, PAIRS
from kalloc_dev.bench.report import grid
from kalloc_dev.core import store
from kalloc_dev.core.paths import TREE
from rust_kbuild.console import Failure, say

if TYPE_CHECKING:
    from kalloc_dev.bench.result import Result

RECORD = TREE / "Documentation/measured.json"
PAGE = TREE / "Documentation/reference/allocators.rst"
BEGIN, END = ".. What follows is made by scripts/kalloc bench --record.\n\n", "\n.. Up to here.\n"
# The tolerated relative difference from the recorded cost. Some costs of vmalloc depend on the
# place of the block.
TOLERANCE = 0.05
ABOUT = ("kernel", "release", "compiler", "rustc", "unit")
PAGES, FREE_PAGES, ANY_ORDER, VMALLOC = "alloc_pages", "__get_free_pages", "page_bench01", "fix_size_alloc_test"


@dataclass(frozen=True)
class Way:
    """An owner type, and the scenario of the benchmark that measures it."""

    owner: str
    scenario: str
    param: int


NEEDS: dict[str, tuple[Way, ...]] = {
    "an object of 256 bytes": (Way("KBox", PAIRS, 256), Way("KmemCache", FASTPATH, 1)),
    "32 of them together, for each": (Way("KmemCache", ONE_BY_ONE, 32), Way("Batch", BULK, 32)),
    "a page": (Way("KBox", PAIRS, 4096), Way("FreePages", FREE_PAGES, 0), Way("Pages", PAGES, 0), Way("VBox", VMALLOC, 1)),
    "4 pages": (Way("KBox", PAIRS, 16384), Way("FreePages", FREE_PAGES, 2), Way("Pages", PAGES, 2), Way("VBox", VMALLOC, 4)),
    "16 pages": (Way("Pages", ANY_ORDER, 4), Way("VBox", VMALLOC, 16)),
    "256 pages": (Way("Pages", ANY_ORDER, 8), Way("VBox", VMALLOC, 256)),
}
USED = {(way.scenario, way.param) for ways in NEEDS.values() for way in ways}


def record(about: dict[str, Any], results: Iterable[Result]) -> None:
    """Stores the results, and generates the page from them."""
    kept = {f"{result.scenario}, {result.param}": round(result.least, 1) for result in ours(results)}
    if missing := [name for name in map(name_of, sorted(USED)) if name not in kept]:
        raise Failure(f"not measured: {'; '.join(missing)}")
    # REUSE-IgnoreStart
    data = {"licence": "SPDX-License-Identifier: GPL-2.0-only"} | {name: about[name] for name in ABOUT} | {
    # REUSE-IgnoreEnd
        "sources": sources(), "kalloc": kept}
    RECORD.write_text(json.dumps(data, indent=1) + "\n")
    PAGE.write_text(with_section(PAGE.read_text(), data))


def ours(results: Iterable[Result]) -> Iterator[Result]:
    """Returns the results that the page uses."""
    return (result for result in results
            if result.side == "kalloc" and not result.profiling and (result.scenario, result.param) in USED)


def name_of(used: tuple[str, int]) -> str:
    """Returns the name of a cost in the record."""
    return f"{used[0]}, {used[1]}"


def changed(about: dict[str, Any], results: Iterable[Result], whole: bool) -> dict[str, str]:
    """Returns the recorded costs that differ from the results.

    With `whole`, a recorded cost without a result counts as well.
    """
    data = json.loads(RECORD.read_text())
    if other := [f"{name} {data[name]}" for name in ABOUT if data[name] != about[name]]:
        say(f"    not compared with {RECORD.name}, which is of {', '.join(other)}")
        return {}
    kept = data["kalloc"]
    now = {name_of((result.scenario, result.param)): result.least for result in ours(results)}
    said = {name: f"this is {cost:.1f}" for name, cost in now.items()
            if abs(cost - kept.get(name, 0)) > TOLERANCE * kept.get(name, 0)}
    said |= {name: "this has none" for name in kept if whole and name not in now}
    return {name: f"{RECORD.name} has {kept.get(name, 0)}, {what}: scripts/kalloc bench --record" for name, what in said.items()}


def sources() -> str:
    """Returns a hash of the measured sources."""
    return store.key_of(*(path.read_text() for top in ("rust", "bench") for path in sorted((TREE / top).rglob("*.[rch]*"))
                          if path.is_file()))


def stale() -> Iterator[str]:
    """Names the differences of the page from the record."""
    text, data = PAGE.read_text(), json.loads(RECORD.read_text())
    if data["sources"] != sources():
        say(f"    {RECORD.name} is of other sources: make bench compares it with these")
    if text != with_section(text, data):
        yield f"{PAGE.name}: the table differs from {RECORD.name}: scripts/kalloc bench --record"


def with_section(page: str, data: dict[str, Any]) -> str:
    """Returns the page with the table and the sentences of these numbers."""
    before, begin, rest = page.partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        raise Failure(f"{PAGE.name} has no place for the table")
    return before + begin + section(data) + end + after


def section(data: dict[str, Any]) -> str:
    """Returns the table, its origin, and the conclusions from it."""
    costs = {need: {way.owner: data["kalloc"][name_of((way.scenario, way.param))] for way in ways}
             for need, ways in NEEDS.items()}
    body = []
    for need, by_owner in costs.items():
        least = min(by_owner.values())
        body += [["\\" if number else need, f"``{owner}``", f"{cost:.1f}", f"{cost / least:.2f}"]
                 for number, (owner, cost) in enumerate(sorted(by_owner.items(), key=lambda item: item[1]))]
    rustc = data["rustc"].split(" (")[0]
    return (f"Instructions to allocate and free, on the *{data['kernel']}* kernel, Linux {data['release']}, {rustc}:\n\n"
            + grid(["You need", "Owner", "Instructions", "Ratio"], body) + "\n"
            + "".join(f"* {sentence}\n" for sentence in advice(costs)))


def advice(costs: dict[str, dict[str, float]]) -> Iterator[str]:
    """Returns the conclusions for the choice of an allocator.

    Raises Failure if the numbers contradict one.
    """
    one, many = costs["an object of 256 bytes"], costs["32 of them together, for each"]
    cache, batch = one["KmemCache"] / one["KBox"], many["Batch"] / many["KmemCache"]
    yield follows(0.8 < cache < 1.2, f"An object of a slab cache takes {cache:.2f} times the instructions of a box. "
                  "Make a cache for its other properties:\n  objects that stay constructed, RCU, copies to user space, "
                  "a row of its own, and a size that no size class rounds up.")
    yield follows(batch < 0.8, f"Use a ``Batch`` for objects that are allocated and freed together: {batch:.2f} times the "
                  "instructions of single objects.")
    for need in ("a page", "4 pages"):
        ways = costs[need]
        pages, mapped = ways["FreePages"] / ways["KBox"], ways["VBox"] / ways["KBox"]
        yield follows(pages < mapped, f"For {need}, page blocks take {pages:.2f} times the instructions of a box, "
                                      f"``VBox`` {mapped:.2f} times.")
    small, large = (costs[need]["VBox"] / costs[need]["Pages"] for need in ("16 pages", "256 pages"))
    yield follows(min(small, large) > 1, "Memory that is not physically contiguous is easier to get, but not faster: "
                  f"``VBox`` takes {small:.2f} times the\n  instructions of ``Pages`` for 16 pages, "
                  f"and {large:.2f} times for 256.")


def follows(true: bool, sentence: str) -> str:
    """Returns the sentence if the numbers support its advice."""
    if not true:
        raise Failure(f"{PAGE.name}: no longer so: {sentence}")
    return sentence
