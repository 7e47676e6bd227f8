# SPDX-License-Identifier: GPL-2.0-only
"""Each script prints its usage for --help, and rejects an unknown option in one line; it does
nothing else.
"""

import subprocess

import pytest

from kalloc_dev import cli
from kalloc_dev.core.paths import TREE

SCRIPTS = [["scripts/kalloc"], *(["scripts/kalloc", name] for name in (*cli.COMMANDS, *cli.PASSED_ON)), ["scripts/vm"],
           ["scripts/rust-kbuild"], ["scripts/rust-kbuild", "check"], ["scripts/pre-commit"], [".ci/run"]]
# A status that no command of a guest has.
VM_MISTAKE = 125


def call(words: list[str], option: str) -> subprocess.CompletedProcess[str]:
    """Calls a script with an option."""
    return subprocess.run([TREE / words[0], *words[1:], option], stdin=subprocess.DEVNULL, capture_output=True, text=True,
                          check=False, timeout=60)


@pytest.mark.parametrize("words", SCRIPTS, ids=" ".join)
def test_help(words: list[str]) -> None:
    """The usage is printed, with status 0."""
    done = call(words, "--help")
    assert done.returncode == 0 and done.stdout.startswith("usage: ") and not done.stderr, done


@pytest.mark.parametrize("words", SCRIPTS, ids=" ".join)
def test_unknown_option(words: list[str]) -> None:
    """The error message is one line."""
    done = call(words, "--no-such-option")
    assert done.returncode == (VM_MISTAKE if words[-1] in ("scripts/vm", "vm") else 2), done
    assert done.stderr.count("\n") == 1 and not done.stdout, done
