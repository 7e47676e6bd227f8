# SPDX-License-Identifier: GPL-2.0
"""The tests: KUnit on the debug kernel, and the scenarios of tests/scenarios/.

`kunit:GLOB` are some of KUnit's cases, or a section of their guest's, and `sheaves:GLOB` some of those of caches: such
a run builds only the modules that it needs.

A scenario is an executable file: status 0 is a pass, 77 a skip, all else a failure.
It finds the tree's commands as scripts/…, in the folder where it starts.
"""

import json
import os
import re
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path

from kalloc_dev.core import process
from kalloc_dev.core.paths import LOGS, TREE
from kalloc_dev.core.prepare import set_up
from kalloc_dev.guest import kvm
from kalloc_dev.kernel.build import Kernel
from kalloc_dev.modules import kbuild
from kalloc_dev.test import attacks, slabinfo_readers
from kalloc_dev.test.kunit import CACHES, SHEAVES, Machine, kunit, parts
from kalloc_dev.test.result import Case, again, done, said, status
from kalloc_dev.test.skip import SKIP, SKIPPED
from rust_kbuild.console import Failure, tail

SCENARIOS = TREE / "tests" / "scenarios"
# The scenarios that want more than two kernels.
CLIENTS, FLAVOURS = "clients", "rust_kbuild"
MODULES, ATTACKS = "modules", "attacks"
# The guests of KUnit's cases, and what each checks of the allocator.
GUESTS = {"kunit": Machine(), "sheaves": SHEAVES}
TIMES = LOGS / "test-times.json"
# More than the guests of any have, whose own limits say what was waited for.
SCENARIO_SECONDS = 900.0
# Guests at a time: two processors are enough for them, as a guest waits now and then.
AT_ONCE = 3

# What a scenario says that it did, in numbers.
FIGURES = re.compile("^figures: (.*)$", re.M)

Job = Callable[[], Iterator[Case]]


def run_tests(names: list[str]) -> int:
    """Runs the named tests, or all; the status is 1 if one failed."""
    start = time.monotonic()
    scenarios = {path.name: path for path in sorted(SCENARIOS.iterdir())
                 if os.access(path, os.X_OK) and path.is_file()}
    parted = {guest: [name.partition(":")[2] for name in names if name.startswith(f"{guest}:")] for guest in GUESTS}
    if known := sum(map(len, parted.values())):
        if known < len(names):
            raise Failure("a part of kunit or sheaves is run with other parts only", status=2)
        return _run_parts(parted)
    if unknown := set(names) - {*GUESTS, MODULES, ATTACKS, *scenarios}:
        raise Failure(f"no test {' or '.join(sorted(unknown))}", status=2)

    stock, debug = set_up("stock", "debug")
    for kernel in (stock, debug):
        kbuild.image(kernel)
    kvm.usable(stock)
    if not names or CLIENTS in names:
        slabinfo_readers.set_up()
    if not names or FLAVOURS in names:
        set_up("stock-amd64")
    ready = time.monotonic()

    jobs: dict[str, Job] = {"kunit": lambda: kunit(debug), "sheaves": lambda: parts(debug, [CACHES], SHEAVES, whole=True)}
    jobs[MODULES] = lambda: (silent(kernel) for kernel in (stock, debug))
    jobs[ATTACKS] = lambda: attacks.attacks([stock, debug])
    jobs |= {name: lambda path=path: scenario(path) for name, path in scenarios.items()}  # type: ignore[misc]
    times = _times()
    # What took longest first, so that nothing long is left when the rest is done.
    chosen = sorted((name for name in jobs if not names or name in names), key=lambda name: -times.get(name, 1e9))
    cases: list[Case] = []
    with process.pool(AT_ONCE) as pool:
        for name, (own, took) in zip(chosen, pool.map(collect, map(jobs.__getitem__, chosen))):
            times[name] = took
            cases += own
    TIMES.write_text(json.dumps(times))
    durations = f"set-up {ready - start:.0f} s, tests {time.monotonic() - ready:.0f} s"
    print(", ".join(filter(None, (durations, done(cases)))))
    print(again(cases) + said(cases))
    return status(cases)


def _run_parts(parted: dict[str, list[str]]) -> int:
    """Runs some cases of KUnit's, and nothing else."""
    debug, = set_up("debug")
    kvm.usable(debug)
    cases = [case for guest, some in parted.items() if some
             for case in collect(lambda guest=guest, some=some: parts(debug, some, GUESTS[guest]))[0]]  # type: ignore[misc]
    print(again(cases) + said(cases))
    return status(cases)


def silent(kernel: Kernel) -> Case:
    """Whether the modules were built for it without a warning."""
    warnings = kbuild.warnings(kbuild.tree_of(kernel))
    return Case(f"modules of {kernel.name}: no warnings", "failed" if warnings else "passed",
                "".join(f"    {line}\n" for line in warnings))


def _times() -> dict[str, float]:
    """How many seconds each test took when it last ran."""
    try:
        times: dict[str, float] = json.loads(TIMES.read_text())
    except (OSError, ValueError):
        return {}
    return times


def collect(job: Job) -> tuple[list[Case], float]:
    """Runs a job, printing each case as it ends; returns how many seconds it took as well."""
    start = time.monotonic()
    cases = []
    for case in job():
        cases.append(case)
        took = f" ({time.monotonic() - start:.0f} s)" if len(cases) == 1 else ""
        figures = f": {case.figures}" if case.figures else ""
        # One write a case: two jobs speak.
        sys.stdout.write(f"{case.outcome:8}{case.name}{figures}{took}\n{case.detail}")
        sys.stdout.flush()
    return cases, time.monotonic() - start


def scenario(path: Path, *arguments: str, seconds: float = SCENARIO_SECONDS) -> Iterator[Case]:
    """One executable file."""
    log = LOGS / f"test-{'-'.join((path.name, *arguments))}.log"
    status = process.run([path, *arguments], log, TREE, seconds)
    if status == SKIP:
        why = [line for line in log.read_text(errors="replace").splitlines() if line.startswith(SKIPPED)]
        yield Case(path.name, "skipped", "".join(f"    {line}\n" for line in why))
    elif not status:
        yield Case(path.name, "passed", figures=", ".join(FIGURES.findall(log.read_text(errors="replace"))))
    else:
        yield Case(path.name, "failed", f"{tail(log)}\n    log: {log}\n")
