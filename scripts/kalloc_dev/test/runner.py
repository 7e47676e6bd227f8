# SPDX-License-Identifier: GPL-2.0-only
"""The runner of the tests in tests/*/test_*.py, under pytest.

Each module runs in a pytest process of its own, a few at a time, the longest first. A module's test
functions share its guest, so a module is the unit of work. pytest-xdist does not fit: its workers
queue a test before the previous one ends, so a short module would wait behind a long one. The
functions' cases (those of KUnit, the attacks) count one by one.
"""

import argparse
import json
import re
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path

from kalloc_dev.core import process
from kalloc_dev.core.paths import BUILD, LOGS, TREE
from kalloc_dev.core.prepare import set_up
from kalloc_dev.guest import kvm
from kalloc_dev.guest.qemu import AGAIN
from kalloc_dev.modules import kbuild
from kalloc_dev.test import slabinfo_readers
from kalloc_dev.test.result import SKIP, Case, again, done, said, status, write_junit
from kalloc_dev.toolchain import python_tools
from rust_kbuild.console import Failure, tail

TESTS = TREE / "tests"
TIMES = LOGS / "test-times.json"
JUNIT, JUNIT_LONG = BUILD / "junit.xml", BUILD / "junit-long.xml"
# More than the limits of any module's guests, whose messages name the cause of a delay.
MODULE_SECONDS = 1800.0
# The number of parallel guests. Two processors are enough for them, as a guest sometimes waits.
AT_ONCE = 3
# The statuses of pytest with a complete list of cases: all passed, some failed, none was chosen.
ENDED = (0, 1, 5)
SHOWN_LINES = 30
# The marker of a test that `make test` leaves out.
LONG = "pytest.mark.long"
# The kernel of a module's tests.
KERNEL = re.compile(r'^KERNEL = "([\w.-]+)"$', re.M)

Job = Callable[[], Iterator[Case]]


def modules() -> dict[str, Path]:
    """Returns the test modules by name."""
    return {path.stem.removeprefix("test_"): path for path in sorted(TESTS.glob("*/test_*.py"))}


def arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the command's options."""
    parser.add_argument("names", nargs="*", metavar="NAME[:GLOB]",
                        help="a module tests/*/test_NAME.py, or its functions and parameters that match; kunit:SUITE.CASE and "
                             "kunit:guest.SECTION are some of KUnit's cases and of its guest's sections (default: all)")
    parser.add_argument("-k", dest="expression", metavar="EXPRESSION", help="run only the matching functions, as in pytest")
    parser.add_argument("--lf", action="store_true", help="run only the functions that failed in their last run")
    parser.add_argument("--junitxml", type=Path, metavar="FILE",
                        help="the report (default: build/junit.xml; with --long: build/junit-long.xml)")
    parser.add_argument("--kernel", metavar="KERNEL", help="the kernel of the modules that run on several")
    parser.add_argument("--append", action="append", default=[], metavar="PARAMETER",
                        help="a parameter of that kernel, for sanitizers_report")
    parser.add_argument("--long", action="store_true",
                        help="without names, run the tests that are too long for make test instead of all others")
    parser.add_argument("--every", action="store_true", help="run the long cases as well")


def main(options: argparse.Namespace) -> int:
    """Runs the named tests, or all; returns status 1 if one failed, SKIP if all were skipped."""
    start = time.monotonic()
    known = modules()
    chosen: dict[str, list[str]] = {}
    for word in options.names:
        name, _, glob = word.partition(":")
        chosen.setdefault(name, []).append(glob)
    if unknown := set(chosen) - set(known):
        raise Failure(f"no test {' or '.join(sorted(unknown))}: there are {', '.join(known)}", status=2)

    python_tools.root()
    stock, debug = set_up("stock", "debug")
    # A build of a kernel may take longer than the limit of a module.
    set_up(*_kernels(known[name].read_text() for name in chosen))
    kvm.usable(stock)
    if not chosen and not options.long:
        slabinfo_readers.set_up()
        set_up("stock-amd64")
        for kernel in (stock, debug):
            kbuild.image(kernel)
    ready = time.monotonic()

    # Names choose from all tests.
    circle = [] if chosen else ["-m", "long" if options.long else "not long and not named"]
    more = [*circle, *(["-k", options.expression] if options.expression else []),
            *(["--lf", "--lfnf=none"] if options.lf else []),
            *([f"--kernel={options.kernel}"] if options.kernel else []), *(f"--append={word}" for word in options.append),
            *(["--every"] if options.every else [])]
    jobs: dict[str, Job] = {}
    # pytest takes a second for a module, even if it chooses nothing.
    some = [name for name, path in known.items() if not options.long or LONG in path.read_text()]
    for name in chosen or some:
        globs = chosen.get(name, [])
        selected = [f"--part={glob}" for glob in globs] if all(globs) else []
        jobs[name] = lambda name=name, selected=selected: run_module(name, *selected, *more)  # type: ignore[misc]
    times = _times()
    # The longest first, so that no long module runs alone at the end.
    ordered = sorted(jobs, key=lambda name: -times.get(name, 1e9))
    cases: list[Case] = []
    with process.pool(AT_ONCE) as pool:
        for name, (own, took) in zip(ordered, pool.map(collect, map(jobs.__getitem__, ordered))):
            if own:
                times[name] = took
            cases += own
    if more == circle != []:
        TIMES.write_text(json.dumps(times))
    write_junit(cases, options.junitxml or (JUNIT_LONG if options.long else JUNIT))
    durations = f"set-up {ready - start:.0f} s, tests {time.monotonic() - ready:.0f} s"
    logs = [log.read_text(errors="replace") for name in jobs if (log := LOGS / f"test-{name}.log").exists()]
    reboots = sum(text.count(AGAIN) for text in logs)
    print(", ".join(filter(None, (durations, done(cases), f"{reboots} guests booted again" if reboots else ""))))
    if not chosen:
        cases = [Case(case.name, case.outcome, brief(case)) for case in cases]
    print(again(cases) + said(cases))
    return SKIP if {case.outcome for case in cases} == {"skipped"} else status(cases)


def _kernels(texts: Iterable[str]) -> set[str]:
    """Returns the kernels that some modules name."""
    return {found[1] for text in texts if (found := KERNEL.search(text))}


def run_module(name: str, *options: str, seconds: float = MODULE_SECONDS) -> Iterator[Case]:
    """Runs a module with these options of pytest; returns its cases."""
    log = LOGS / f"test-{name}.log"
    listed = BUILD / "pytest" / name / "cases"
    listed.parent.mkdir(parents=True, exist_ok=True)
    listed.unlink(missing_ok=True)
    path = f"PYTHONPATH={TREE / 'scripts'}:{python_tools.pytest_path()}"
    ended = process.run(["env", path, sys.executable, "-B", "-m", "pytest", modules()[name], "-o", f"cache_dir={listed.parent}",
                         f"--basetemp={listed.with_name('tmp')}", f"--cases={listed}", *options], log, TREE, seconds)
    cases = [Case(**json.loads(line)) for line in listed.read_text().splitlines()] if listed.exists() else []
    for case in cases:
        if case.outcome == "failed":
            case.detail += f"    log: {log}\n"
        yield case
    if ended not in ENDED or ended == 1 and all(case.outcome != "failed" for case in cases):
        yield Case(name, "failed", f"{tail(log)}\n    log: {log}\n")


def brief(case: Case) -> str:
    """Returns the first and the last lines of a case's text."""
    lines = case.detail.splitlines(keepends=True)
    half = SHOWN_LINES // 2
    return "".join(lines if len(lines) <= SHOWN_LINES else [*lines[:half], "    …\n", *lines[-half:]])


def _times() -> dict[str, float]:
    """Returns the duration of each module in the last complete run, in seconds."""
    try:
        times: dict[str, float] = json.loads(TIMES.read_text())
    except (OSError, ValueError):
        return {}
    return times


def collect(job: Job) -> tuple[list[Case], float]:
    """Runs a job, and prints each case at its end; returns the cases and the duration."""
    start = time.monotonic()
    cases = []
    for case in job():
        cases.append(case)
        took = f" ({case.seconds:.0f} s)" if case.seconds >= 1 else ""
        figures = f": {case.figures}" if case.figures else ""
        detail = brief(case) if case.outcome != "passed" else ""
        # One write for each case, because jobs print at the same time.
        sys.stdout.write(f"{case.outcome:8}{case.name}{figures}{took}\n{detail}")
        sys.stdout.flush()
    return cases, time.monotonic() - start
