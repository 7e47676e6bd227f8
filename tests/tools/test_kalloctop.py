# SPDX-License-Identifier: GPL-2.0-only
"""kalloctop on this machine: its own tests, and all of its output for generated files."""

import re
import subprocess
from collections.abc import Callable
from pathlib import Path

import live
import prints
import pytest
from given import Given

from kalloc_dev.package import kalloctop
from kalloc_dev.toolchain import crates


@pytest.fixture(scope="module")
def program() -> Path:
    """Returns the program. Skips the test if the crates that it needs cannot be downloaded."""
    try:
        return kalloctop.program()
    except crates.Unreachable as reason:
        pytest.skip(f"it cannot be built: {reason}")


@pytest.fixture
def given(program: Path, tmp_path: Path) -> Given:
    """Returns files for it to read."""
    return Given(program, tmp_path)


def test_unit_tests(program: Path) -> None:
    """The tests of its crates pass."""
    assert program.exists()
    for test in kalloctop.tests():
        subprocess.run([test], check=True)


def test_examples(program: Path) -> None:
    """The examples in its documentation pass."""
    assert program.exists()
    assert not (said := kalloctop.complaints("examples")), said


@pytest.mark.parametrize("name", ["kalloctop.8", "kalloctop", "_kalloctop", "kalloctop.fish"])
def test_generated(program: Path, name: str) -> None:
    """The manual page and the completions contain every long option."""
    told = "".join(subprocess.run([program, *command, "--help"], stdout=subprocess.PIPE, text=True, check=True).stdout
                   for command in ((), ("watch",)))
    options = set(re.findall(r"^ +(?:-\w, )?--([\w-]+)", told, re.M))
    text = (kalloctop.generated() / name).read_text().replace("\\-", "-")
    missing = [option for option in options if f"--{option}" not in text and f"-l {option}" not in text]
    assert len(options) > 15 and not missing, (options, missing)


@pytest.mark.parametrize("part", prints.PARTS)
def test_print(given: Given, part: Callable[[Given], None]) -> None:
    """Runs each test of the printed text."""
    part(given)


@pytest.mark.parametrize("part", live.PARTS)
def test_terminal(given: Given, part: Callable[[Given], None]) -> None:
    """Runs each test on a pseudo-terminal, which every kind of exit restores."""
    part(given)
