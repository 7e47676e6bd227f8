# SPDX-License-Identifier: GPL-2.0-only
"""The runner counts each case of a module, its report lists them, and --lf and -k select among
them.
"""

from pathlib import Path
from xml.etree import ElementTree

import pytest

from kalloc_dev.test import runner
from kalloc_dev.test.result import Case, said, write_junit

MODULE = '''
import pytest
from kalloc_dev.test.result import Case
from rust_kbuild.console import Failure

def test_good(record_property):
    record_property("figures", "3 operations")

def test_bad():
    print("the reason")
    assert False

def test_absent():
    pytest.skip("no such device")

@pytest.fixture
def broken():
    raise OSError

def test_error(broken):
    pass

def test_failure():
    raise Failure("make failed with status 2", __import__("pathlib").Path(__file__))

@pytest.mark.parametrize("outcome", ["passed", "failed"])
def test_several(report, outcome):
    report([Case(f"a.{outcome}", "passed"), Case(f"b.{outcome}", outcome, "why\\n"), Case(f"c.{outcome}", "skipped", "no\\n")])
'''


@pytest.fixture(autouse=True)
def tests(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Makes a directory with one module."""
    directory = tmp_path / "tests" / "some"
    directory.mkdir(parents=True)
    (directory / "test_small.py").write_text(MODULE)
    (directory / "conftest.py").write_text('pytest_plugins = ["kalloc_dev.test.plugin"]\n')
    monkeypatch.setattr(runner, "TESTS", directory.parent)
    monkeypatch.setattr(runner, "BUILD", tmp_path / "build")
    monkeypatch.setattr(runner, "LOGS", tmp_path / "log")


def run(*options: str) -> dict[str, Case]:
    """Returns the cases by the last part of their names."""
    return {case.name.rpartition("::")[2]: case for case in runner.run_module("small", *options)}


def test_outcomes() -> None:
    """Functions and the cases that they report are counted, and functions that report are not."""
    cases = run()
    assert {name: case.outcome for name, case in cases.items()} == {
        "test_good": "passed", "test_bad": "failed", "test_absent": "skipped", "test_error": "failed",
        "test_failure": "failed", "a.passed": "passed", "b.passed": "passed", "c.passed": "skipped", "a.failed": "passed",
        "b.failed": "failed", "c.failed": "skipped"}
    assert cases["test_good"].figures == "3 operations"
    assert "\nthe reason\n" in cases["test_bad"].detail
    assert "no such device" in cases["test_absent"].detail
    assert "\nerror: make failed with status 2 (log: " in cases["test_failure"].detail


def test_part() -> None:
    """A glob selects functions and parameters."""
    assert set(run("--part=good")) == {"test_good"}
    assert set(run("--part=passed")) == {"a.passed", "b.passed", "c.passed"}
    assert set(run("-k", "absent")) == {"test_absent"}


def test_unknown_part() -> None:
    """A glob that matches nothing is a failure that names it, beside others that match."""
    case, = run("--part=good", "--part=godo").values()
    assert case.outcome == "failed" and "no function or parameter matches godo" in case.detail


def test_last_failed() -> None:
    """--lf selects the failed cases, also of functions that report cases."""
    assert run("--part=good")
    assert not run("--lf", "--lfnf=none")
    run()
    assert set(run("--lf", "--lfnf=none")) == {"test_bad", "test_error", "test_failure", "a.failed", "b.failed", "c.failed"}


def test_module_that_cannot_be_imported() -> None:
    """One case has failed."""
    (runner.TESTS / "some/test_small.py").write_text("import nothing_of_this_name\n")
    assert [case.outcome for case in run().values()] == ["failed"]


def test_junit(tmp_path: Path) -> None:
    """The report lists each case once, with the counts of the last line."""
    cases = list(run().values())
    write_junit([*cases, Case("kunit a.b", "failed", "control \x01\n")], tmp_path / "junit.xml")
    suite = ElementTree.parse(tmp_path / "junit.xml").getroot()[0]
    assert suite.attrib["tests"] == str(len(cases) + 1) == str(len(suite))
    assert said(cases) == "4 passed, 4 failed, 3 skipped"
    assert (suite.attrib["failures"], suite.attrib["skipped"]) == ("5", "3")
