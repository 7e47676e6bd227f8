# SPDX-License-Identifier: GPL-2.0-only
"""Bounds on the cost of kalloc, and their verdicts."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from kalloc_dev.bench.result import Result

PAIRS = "2. Kmalloc: alloc/free test"
FASTPATH = "kmem fastpath reuse"
ONE_BY_ONE = "kmem bulk_fallback"
BULK = "kmem bulk_quick_reuse"
FIXED = "accounting, fixed size"
PERCPU = "accounting, fixed size, percpu"
SIZED = "accounting, any size"
KNOWN = "accounting, any size, known"
LIVE = "pairs with live objects"
ARC = "Arc: alloc/clone/free"

# The scenarios of kalloc_watch, and what is watched: the sides are a kernel with a watch, and one without.
WATCH_PAIR, WATCH_ALLOC, WATCH_FREE = "kmalloc pair", "page allocation", "page free"
WATCH_LOAD = "forks and files of a tmpfs"
WATCHED = {"off": "no code watched", "other": "other code watched", "own": "watched", "load-all": "whole kernel watched"}


@dataclass(frozen=True)
class Verdict:
    """A bound and the measured value, at the parameter with the worst result."""

    what: str
    limit: float
    measured: float
    unit: str
    param: int
    ok: bool


def cost(results: Iterable[Result], scenario: str, side: str, profiling: bool = False) -> dict[int, float]:
    """Returns the cost of a scenario on a side, by parameter."""
    return {r.param: r.least for r in results
            if (r.scenario, r.side, r.profiling) == (scenario, side, profiling)}


def unmeasured(results: list[Result], scenario: str, side: str, params: Iterable[int]) -> Iterator[str]:
    """Names each parameter without a result."""
    there = cost(results, scenario, side)
    return (f"{scenario}, {side}, {param}" for param in dict.fromkeys(params) if param not in there)


def ratio(ours: float, theirs: float) -> float:
    """Returns the ratio of kalloc's cost to the other side's."""
    return ours / theirs


def difference(ours: float, theirs: float) -> float:
    """Returns the number of additional instructions on kalloc's side."""
    return ours - theirs


@dataclass(frozen=True)
class Bound:
    """A bound on a scenario's cost relative to one of another side, over a range of parameters."""

    what: str
    limit: float
    ours: tuple[str, str]
    theirs: tuple[str, str]
    params: range
    by: Callable[[float, float], float] = ratio

    def judge(self, results: list[Result]) -> Iterable[Verdict]:
        """Returns the verdict, or none if the scenario was not measured."""
        ours, theirs = cost(results, *self.ours), cost(results, *self.theirs)
        measured = [(self.by(ours[param], theirs[param]), param)
                    for param in sorted(ours.keys() & theirs.keys()) if param in self.params]
        if measured:
            worst, param = max(measured)
            unit = "times" if self.by is ratio else "instructions"
            # The call around the loop costs a hundredth of an instruction.
            worst = round(worst, 4 if self.by is ratio else 1)
            yield Verdict(self.what, self.limit, worst, unit, param, worst <= self.limit)

    def missing(self, results: list[Result]) -> Iterator[str]:
        """Names the ends of the range that were not measured."""
        for side in (self.ours, self.theirs):
            yield from unmeasured(results, *side, (self.params[0], self.params[-1]))


@dataclass(frozen=True)
class Flat:
    """A bound on the ratio of kalloc's highest cost to its lowest, over a range of parameters."""

    what: str
    limit: float
    scenario: str
    params: range

    def judge(self, results: list[Result]) -> Iterable[Verdict]:
        """Returns the verdict, or none if the scenario was not measured."""
        costs = [(value, param) for param, value in cost(results, self.scenario, "kalloc").items()]
        if costs:
            (least, _), (most, param) = min(costs), max(costs)
            yield Verdict(self.what, self.limit, round(most / least, 3), "times", param, most / least <= self.limit)

    def missing(self, results: list[Result]) -> Iterator[str]:
        """Names the ends of the range that were not measured."""
        return unmeasured(results, self.scenario, "kalloc", (self.params[0], self.params[-1]))


@dataclass(frozen=True)
class Scales:
    """A bound on the largest ratio of kalloc's cost to C's, relative to the smallest.

    While a round is measured, several CPUs handle their ticks, on both sides.
    """

    what: str
    limit: float
    scenarios: dict[int, str]

    def judge(self, results: list[Result]) -> Iterable[Verdict]:
        """Returns the verdict, or none if the scenario was not measured."""
        shares = []
        for cpus, scenario in self.scenarios.items():
            ours, theirs = (cost(results, scenario, side) for side in ("kalloc", "c"))
            if both := ours.keys() & theirs.keys():
                shares.append((sum(ours[param] for param in both) / sum(theirs[param] for param in both), cpus))
        if shares:
            (least, _), (most, cpus) = min(shares), max(shares)
            yield Verdict(self.what, self.limit, round(most / least, 3), "times", cpus, most / least <= self.limit)

    def missing(self, results: list[Result]) -> Iterator[str]:
        """Names the scenarios that were not measured with all numbers of CPUs, on both sides."""
        both = [(scenario, side) for scenario in self.scenarios.values() for side in ("kalloc", "c")]
        params = sorted({param for one in both for param in cost(results, *one)})
        for scenario, side in both:
            yield from unmeasured(results, scenario, side, params) if params else [f"{scenario}, {side}"]


@dataclass(frozen=True)
class Share:
    """A bound on kalloc's accounting, as a share of the kernel profiler's cost in the same boot."""

    what: str
    limit: float

    def judge(self, results: list[Result]) -> Iterable[Verdict]:
        """Returns the verdict, or none on a kernel without the profiler."""
        on, off = (cost(results, FIXED, "c", state).get(64) for state in (True, False))
        ours, plain = (cost(results, FIXED, side).get(64) for side in ("kalloc", "uncounted"))
        if None not in (on, off, ours, plain):
            share = (ours - plain) / (on - off)  # type: ignore[operator]
            yield Verdict(self.what, self.limit, round(share, 4), "of it", 64, share <= self.limit)

    def missing(self, _: list[Result]) -> Iterator[str]:
        """Returns nothing: the kernel of all other bounds has no profiler."""
        return iter(())


@dataclass(frozen=True)
class Row:
    """A bound on the cost at one parameter, such as a number of rows: absolute, or relative to fewer."""

    what: str
    limit: float
    scenario: str
    rows: int
    fewer: int = 0

    def judge(self, results: list[Result]) -> Iterable[Verdict]:
        """Returns the verdict, or none if the scenario was not measured."""
        costs = cost(results, self.scenario, "kalloc")
        if not {self.rows, self.fewer or self.rows} - costs.keys():
            measured = costs[self.rows] / costs[self.fewer] if self.fewer else costs[self.rows]
            unit = "times" if self.fewer else "instructions"
            yield Verdict(self.what, self.limit, round(measured, 3), unit, self.rows, measured <= self.limit)

    def missing(self, results: list[Result]) -> Iterator[str]:
        """Names the numbers of rows that were not measured."""
        return unmeasured(results, self.scenario, "kalloc", (self.rows, self.fewer or self.rows))


@dataclass(frozen=True)
class Most:
    """A bound on kalloc's highest cost, of all rounds and all parameters of some scenarios."""

    what: str
    limit: float
    scenarios: dict[str, tuple[int, ...]]

    def judge(self, results: list[Result]) -> Iterable[Verdict]:
        """Returns the verdict, or none if the scenario was not measured."""
        costs = [(r.most, r.param) for r in results if r.scenario in self.scenarios and r.side == "kalloc"]
        if costs:
            most, param = max(costs)
            yield Verdict(self.what, self.limit, most, "instructions", param, most <= self.limit)

    def missing(self, results: list[Result]) -> Iterator[str]:
        """Names the scenarios that were not measured with all parameters."""
        for scenario, params in self.scenarios.items():
            yield from unmeasured(results, scenario, "kalloc", params)


def watched(what: str, limit: float, scenario: str, state: str, by: Callable[[float, float], float] = difference) -> Bound:
    """Returns a bound on the cost that a watch adds to a scenario."""
    name = f"{scenario}, {WATCHED[state]}"
    return Bound(f"kalloc_watch: {what}", limit, (name, "kalloc"), (name, "c"), range(0, 1), by)


# The parameters are numbers of pages. One call of C frees a single page, and may move others at the
# same time.
DROPS = {
    "atomic drop of a page array": (1, 16, 17, 1000, 50_000),
    "atomic drop of a mapped page array": (3, 1000),
    "atomic drop of exact pages": (16, 17, 1024),
    "atomic drop of split pages": (16, 1024),
    "atomic drop of a block": (1024,),
    "atomic drop of a compound page": (1024,),
    "atomic drop of a shared page": (1024,),
    "atomic drop of vmalloc memory": (1, 10_000),
    "atomic drop of per-CPU memory": (1,),
}
SIZES, ORDERS, VMALLOC, OBJECTS = range(8, 8193), range(0, 4), range(1, 1025), range(1, 1_000_001)
# Block sizes for the accounting alone: one size is a constant, the others are arguments.
ONE_SIZE, BUFFERS = range(64, 65), range(64, 4097)
BOUNDS: tuple[Bound | Flat | Scales | Share | Row | Most, ...] = (
    Bound("KBox, 8 to 8192 bytes, against C", 1.03, (PAIRS, "kalloc"), (PAIRS, "c"), SIZES),
    Bound("KBox, 8 to 8192 bytes, against upstream", 0.60, (PAIRS, "kalloc"), (PAIRS, "upstream"), SIZES),
    Bound("KVec<u64>, push 1024, against upstream", 1.00, ("push", "kalloc"), ("push", "upstream"), range(1024, 1025)),
    Bound("Arc, against upstream", 4, (ARC, "kalloc"), (ARC, "upstream"), range(56, 57), difference),
    Bound("accounting alone, of an Arc", 4, (ARC, "kalloc"), (ARC, "uncounted"), range(56, 57), difference),
    Row("an object of 64 bytes in an arena that is reset", 14, "Arena: 32 objects, reset", 64),
    Row("an object of 64 bytes in an arena with a new page", 31, "Arena: 32 objects, drop", 64),
    Bound("slab cache, against C", 1.03, (FASTPATH, "kalloc"), (FASTPATH, "c"), range(1, 2)),
    Bound("slab batch of 32, against C in bulk", 1.05, (BULK, "kalloc"), (BULK, "c"), range(32, 33)),
    Bound("slab batch of 32, against C one by one", 0.60, (BULK, "kalloc"), (ONE_BY_ONE, "c"), range(32, 33)),
    Bound("pages of order 0 to 3 by page, against C", 1.01, ("alloc_pages", "kalloc"), ("alloc_pages", "c"), ORDERS),
    Bound("pages of order 0 to 3 by address, against C", 1.01,
          ("__get_free_pages", "kalloc"), ("__get_free_pages", "c"), ORDERS),
    Bound("vmalloc, 1 to 1024 pages, against C", 1.01,
          ("fix_size_alloc_test", "kalloc"), ("fix_size_alloc_test", "c"), VMALLOC),
    Bound("accounting alone, fixed size", 4, (FIXED, "kalloc"), (FIXED, "uncounted"), ONE_SIZE, difference),
    Bound("accounting alone, fixed size, percpu", 4, (PERCPU, "kalloc"), (PERCPU, "uncounted"), ONE_SIZE, difference),
    Bound("accounting alone, any size, known when compiling", 8,
          (KNOWN, "kalloc"), (KNOWN, "uncounted"), BUFFERS, difference),
    Bound("accounting alone, any size", 8, (SIZED, "kalloc"), (SIZED, "uncounted"), BUFFERS, difference),
    Bound("vector of any size, against upstream", 1.03, (SIZED, "kalloc"), (SIZED, "upstream"), BUFFERS),
    Bound("vector of any size, against C", 1.10, (SIZED, "kalloc"), (SIZED, "c"), BUFFERS),
    Bound("KBox, with 1 to 1000000 live objects, against C", 1.03, (LIVE, "kalloc"), (LIVE, "c"), OBJECTS),
    Flat("the most of them against the least", 1.03, LIVE, OBJECTS),
    Flat("KBox, among 10 to 10000 sites, most against least", 1.03, "pairs among sites", range(10, 10_001)),
    Scales("KBox against C, on 1, 2, 4, 8 CPUs, most against least", 1.03,
           {cpus: f"N*(alloc free), {cpus} CPUs" for cpus in (1, 2, 4, 8)}),
    Row("reading a row of /proc/kallocinfo, of 10000", 3000, "a row of /proc/kallocinfo", 10_000),
    Row("the same, against 1000 rows", 1.10, "a row of /proc/kallocinfo", 10_000, 1000),
    Most("dropping with interrupts disabled, the most of any owner", 20_000, DROPS),
    watched("kmalloc pair of other code", 130, WATCH_PAIR, "other"),
    watched("page free of other code", 110, WATCH_FREE, "other"),
    watched("watched kmalloc pair", 360, WATCH_PAIR, "own"),
    watched("load on the whole kernel", 1.10, WATCH_LOAD, "load-all", ratio),
    watched("kmalloc pair, no code watched", 1, WATCH_PAIR, "off"),
    Share("accounting alone, against MEM_ALLOC_PROFILING", 0.05),
)
