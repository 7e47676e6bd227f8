# SPDX-License-Identifier: GPL-2.0-only
"""The pytest plugin of tests/: its options and fixtures, and the list of cases that the runner reads."""

import fnmatch
import json
from collections.abc import Callable, Generator, Iterable, Iterator
from dataclasses import asdict
from pathlib import Path

import pytest

from kalloc_dev.test.result import Case
from kalloc_dev.test.session import Session
from rust_kbuild.console import Failure, tail

Reporter = Callable[[Iterable[Case]], None]

RECORDER = "kalloc-recorder"
SECONDS = pytest.StashKey[float]()


class CasesFailed(Exception):
    """Some of the cases that a test function reported failed."""


def pytest_addoption(parser: pytest.Parser) -> None:
    """Adds the options."""
    group = parser.getgroup("kalloc")
    group.addoption("--kernel", metavar="KERNEL", help="the kernel of the tests that run on several")
    group.addoption("--append", action="append", default=[], metavar="PARAMETER",
                    help="a parameter of that kernel, for sanitizers_report")
    group.addoption("--every", action="store_true", help="run the long cases as well")
    group.addoption("--part", action="append", default=[], metavar="GLOB",
                    help="run only the functions or parameters of this name; in kunit and sheaves, KUnit's cases")
    group.addoption("--cases", metavar="FILE", type=Path, help="append each case that ended to this file, a line of JSON")


def pytest_configure(config: pytest.Config) -> None:
    """Begins the list of cases."""
    if file := config.getoption("--cases"):
        config.pluginmanager.register(Recorder(file), RECORDER)


@pytest.fixture(scope="module")
def parts(request: pytest.FixtureRequest) -> list[str]:
    """Returns the chosen cases of KUnit and sections of its guest; empty means all."""
    chosen: list[str] = request.config.getoption("--part")
    return chosen


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Runs the tests of a module on each of its KERNELS, unless --kernel chooses one."""
    kernels = getattr(metafunc.module, "KERNELS", ())
    if kernels and "kernel_name" in metafunc.fixturenames and not metafunc.config.getoption("--kernel"):
        metafunc.parametrize("kernel_name", kernels, indirect=True, scope="module")


@pytest.fixture(scope="module")
def kernel_name(request: pytest.FixtureRequest) -> str:
    """Returns the kernel of a module's tests: that of --kernel, one of its KERNELS, or its KERNEL."""
    name: str = request.config.getoption("--kernel") or getattr(request, "param", None) or request.module.KERNEL
    return name


@pytest.fixture(scope="module")
def shown(session: Session) -> dict[str, str]:
    """Returns the sections in the output of the guest, which the fixture `session` runs."""
    return session.sections()


@pytest.fixture
def report(request: pytest.FixtureRequest) -> Reporter:
    """Reports each of some cases as a test of its own, in place of the function that calls it."""
    def every(cases: Iterable[Case]) -> None:
        failed = []
        for case in cases:
            request.node.user_properties.append(("case", case.name))
            if recorder := request.config.pluginmanager.get_plugin(RECORDER):
                recorder.write(case)
            if case.outcome == "failed":
                failed.append(f"{case.name}\n{case.detail}")
        if failed:
            raise CasesFailed("\n".join(failed))
    return every


def pytest_collection_modifyitems(config: pytest.Config, items: list[pytest.Item]) -> None:
    """Keeps the functions and parameters that --part chooses."""
    parts: list[str] = config.getoption("--part")
    if not parts or all("parts" in getattr(item, "fixturenames", ()) for item in items):
        return
    by_part = {part: [item for item in items if any(fnmatch.fnmatchcase(name, part) for name in _names(item))] for part in parts}
    if unknown := [part for part, matching in by_part.items() if not matching]:
        raise pytest.UsageError(f"no function or parameter matches {' or '.join(unknown)}")
    kept = [item for item in items if any(item in matching for matching in by_part.values())]
    config.hook.pytest_deselected(items=[item for item in items if item not in kept])
    items[:] = kept


def _names(item: pytest.Item) -> Iterator[str]:
    function, _, parameter = item.name.partition("[")
    yield function.removeprefix("test_")
    yield parameter.removesuffix("]")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item: pytest.Item, call: pytest.CallInfo[None]) -> Generator[None, pytest.TestReport,
                                                                                         pytest.TestReport]:
    """Adds to a failure the guest's output, and the log of a failed command."""
    made = yield
    if call.excinfo and made.failed:
        for name, value in getattr(item, "funcargs", {}).items():
            if isinstance(value, Session):
                made.sections.append((f"guest of {name}", f"{value.stdout}\n    kernel log: {value.log}"))
        if isinstance(call.excinfo.value, CasesFailed):
            made.user_properties.append(("cases failed", True))
        elif isinstance(call.excinfo.value, Failure) and (log := call.excinfo.value.log):
            made.sections.append(("log", f"{tail(log)}\nerror: {call.excinfo.value} (log: {log})"))
    item.stash[SECONDS] = item.stash.get(SECONDS, 0.0) + made.duration
    made.user_properties.append(("seconds", item.stash[SECONDS]))
    return made


class Recorder:
    """A file to which each case is appended at its end."""

    def __init__(self, file: Path) -> None:
        self._file = file

    def write(self, case: Case) -> None:
        """Appends a case."""
        with self._file.open("a") as out:
            out.write(json.dumps(asdict(case)) + "\n")

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Appends a test function, unless it reported cases of its own."""
        properties = dict(report.user_properties)
        own = report.when == "call" and "case" in properties and (report.passed or "cases failed" in properties)
        if own or report.passed and report.when != "call":
            return
        if report.failed:
            detail = "".join([report.longreprtext, *(f"\n--- {name} ---\n{text}" for name, text in report.sections)]) + "\n"
        else:
            detail = f"    {report.longrepr[2]}\n" if isinstance(report.longrepr, tuple) else ""
        self.write(Case(report.nodeid.removeprefix("tests/"), report.outcome, detail,
                        str(properties.get("figures", "")), float(str(properties["seconds"]))))
