# SPDX-License-Identifier: GPL-2.0-only
"""Output of make bench: broken bounds, bounds without a measurement, and recorded costs that have
changed.

The results are made by hand, of two costs: nothing is measured.
"""

import io
import json
from argparse import Namespace
from collections.abc import Iterator
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path

import pytest

from kalloc_dev.bench import bounds, cli, record
from kalloc_dev.bench.bounds import BOUNDS, ONE_BY_ONE, Bound, Flat, Most, Row, Scales
from kalloc_dev.bench.result import Result
from kalloc_dev.guest import kvm
from kalloc_dev.kernel.build import Kernel

ABOUT = {"kernel": "bench", "release": "7.3.4", "compiler": "clang", "rustc": "rustc 1 (of a day)", "unit": "instructions"}
# The costs by side, and those of C in rows where ours must be much lower.
COSTS = {"c": 200.0, "kalloc": 201.0, "uncounted": 200.0, "upstream": 400.0}
DEAR = 400.0
Key = tuple[str, str, int]


def needed(bound: object) -> Iterator[Key]:
    """Returns the scenario, side and parameter that a bound needs a measurement of."""
    if isinstance(bound, Bound):
        for scenario, side in (bound.ours, bound.theirs):
            yield from ((scenario, side, param) for param in {min(bound.params), max(bound.params)})
    elif isinstance(bound, Flat):
        yield from ((bound.scenario, "kalloc", param) for param in (min(bound.params), max(bound.params)))
    elif isinstance(bound, Scales):
        yield from ((scenario, side, param) for scenario in bound.scenarios.values() for side in ("c", "kalloc")
                    for param in (8, 4096))
    elif isinstance(bound, Most):
        yield from ((scenario, "kalloc", param) for scenario, params in bound.scenarios.items() for param in params)
    elif isinstance(bound, Row):
        yield from ((bound.scenario, "kalloc", rows) for rows in {bound.rows, bound.fewer or bound.rows})


NEEDED = {bound.what: set(needed(bound)) for bound in BOUNDS}
# The bounds on a cost alone.
LIMITS = {(bound.scenario, "kalloc", bound.rows): bound.limit for bound in BOUNDS if isinstance(bound, Row) and not bound.fewer}


def costs() -> dict[Key, float]:
    """Returns results within all bounds."""
    return {key: DEAR if key[:2] == (ONE_BY_ONE, "c") else min(COSTS[key[1]], LIMITS.get(key, DEAR))
            for key in set().union(*NEEDED.values())}


def run(by_key: dict[Key, float], *groups: str, **about: str) -> tuple[int, list[str]]:
    """Returns the status and the output lines of scripts/kalloc bench for these results."""
    of = ABOUT | about
    results = [Result("", scenario, param, side, cost, cost, cost, 0, 0, False)
               for (scenario, side, param), cost in by_key.items()]
    target = Kernel(of["kernel"], Path(), Path(), Path())
    said = io.StringIO()
    with pytest.MonkeyPatch.context() as patch, redirect_stderr(said), redirect_stdout(io.StringIO()):
        patch.setattr(cli, "kernel", lambda _: target)
        patch.setattr(cli, "set_up", lambda _: [target])
        patch.setattr(cli, "instructions", lambda *_: results)
        patch.setattr(cli, "write", lambda *_: of)
        patch.setattr(kvm, "usable", lambda _: False)
        patch.setattr(Kernel, "release", property(lambda _: of["release"]))
        status = cli.main(Namespace(kernel=of["kernel"], groups=list(groups), lines=False, record=False, timeout=1.0,
                                    times=False))
    return status, said.getvalue().splitlines()


def expect(last: str, status: int, outcome: tuple[int, list[str]]) -> None:
    """Checks the last line and the status."""
    assert outcome == (status, outcome[1]) and last in outcome[1][-1], (last, outcome)


@pytest.fixture(autouse=True)
def recorded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A record of the costs within all bounds."""
    monkeypatch.setattr(record, "RECORD", tmp_path / record.RECORD.name)
    kept: dict[str, dict[str, float]] = {}
    for (scenario, side, param), cost in costs().items():
        kept.setdefault(f"{scenario}, {param}", {})[side] = cost
    record.RECORD.write_text(json.dumps({"kernels": {"bench": ABOUT | {"costs": kept}}}))


WELL = f"==> {len(BOUNDS) - 1} bounds hold, on Linux 7.3.4, and none is broken"


def test_bounds_hold() -> None:
    """Results within all bounds pass."""
    expect(WELL, 0, run(costs()))


def test_missing_cost() -> None:
    """A bound without a measurement is named, unless other groups were chosen."""
    for key in costs():
        outcome = run({other: cost for other, cost in costs().items() if other != key})
        name = f"{key[0]}, {key[2]}, {key[1]}"
        gone = [what for what, keys in NEEDED.items() if key in keys]
        for what in gone:
            line = f"    not measured: {what}: {key[0]}, {key[1]}, {key[2]}"
            assert line in outcome[1], (line, outcome)
        said = "; not measured: " + ", ".join(gone) if gone else ""
        expect(f"{said}; changed: {name}", 1, outcome)
        # With some groups only, only their measurements count.
        expect("none is broken", 0, run({other: cost for other, cost in costs().items() if other != key}, "kmalloc"))


def test_missing_scenario() -> None:
    """The bounds of a scenario without measurements are named."""
    for scenario in {key[0] for key in costs()}:
        outcome = run({key: cost for key, cost in costs().items() if key[0] != scenario})
        gone = [what for what, keys in NEEDED.items() if any(key[0] == scenario for key in keys)]
        assert outcome[0] == 1 and all(f"    not measured: {what}: " in "\n".join(outcome[1]) for what in gone), outcome


def test_changed_cost() -> None:
    """A cost above its bound is broken; a cost that differs from the record has changed."""
    key = (bounds.FASTPATH, "kalloc", 1)
    expect("; broken: slab cache, against C; changed: kmem fastpath reuse, 1, kalloc", 1, run(costs() | {key: 211.2}))
    expect("; changed: kmem fastpath reuse, 1, kalloc", 1, run(costs() | {key: 190.0}))
    expect(WELL, 0, run(costs() | {key: 192.0}))


@pytest.mark.parametrize("name", ["release", "compiler", "rustc"])
def test_record_of_another_kernel(name: str) -> None:
    """The record is not compared with another kernel or compiler."""
    key = (bounds.FASTPATH, "kalloc", 1)
    status, lines = run(costs() | {key: 10.0}, **{name: "another"})
    assert status == 0 and f"    not compared with measured.json, which is of {name} {ABOUT[name]}" in lines, lines


def test_other_kernel() -> None:
    """Each kernel has its own bounds."""
    expect("2 bounds hold, on Linux 7.3.4, and none is broken", 0,
           run({key: cost for key, cost in costs().items() if key in NEEDED["slab batch of 32, against C in bulk"] |
                NEEDED["slab batch of 32, against C one by one"]}, kernel="prof"))


def recorded_run(accounting: float) -> None:
    """Records a run whose accounting takes this number of instructions."""
    results = [Result("", scenario, param, side, cost, cost, cost, 0, 0, False)
               for (scenario, side, param), cost in (costs() | {(bounds.FIXED, "kalloc", 64): 200.0 + accounting}).items()]
    record.record(ABOUT, results, [verdict for bound in BOUNDS for verdict in bound.judge(results)])


def test_record() -> None:
    """A recorded run is compared with the next one, on each kernel by itself."""
    recorded_run(4)
    expect("none is broken", 0, run(costs() | {(bounds.FIXED, "kalloc", 64): 204.0}))
    assert set(record.read()["kernels"]) == {"bench"}
    assert record.read()["kernels"]["bench"]["bounds"]["accounting alone, fixed size"] == {"limit": 4, "measured": 4}


def test_claim_of_readme() -> None:
    """README states the accounting that the record has."""
    recorded_run(4)
    assert not [line for line in record.stale() if line.startswith("README")]
    recorded_run(6)
    assert [line for line in record.stale() if line.startswith("README")] == [
        "README.md: does not say 'blocks of a fixed size, by 3.0 instructions on x86_64', as measured.json does"]


def test_typed_number(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A number of instructions on a page is a bound's limit, or comes from the record by a role."""
    recorded_run(4)
    page = tmp_path / "Documentation/explanation/page.rst"
    page.parent.mkdir(parents=True)
    (tmp_path / "README.md").write_text("blocks of a fixed size, by two instructions")
    page.write_text("At most 20,000 instructions, and :measured:`kmem fastpath reuse, 1, c` instructions.\n")
    monkeypatch.setattr(record, "TREE", tmp_path)
    monkeypatch.setattr(record, "README", tmp_path / "README.md")
    assert not list(record.stale())
    page.write_text("A free takes 121.8 instructions.\n")
    assert [line.partition(": neither")[0] for line in record.stale()] == [
        "Documentation/explanation/page.rst: 121.8 instructions"]
