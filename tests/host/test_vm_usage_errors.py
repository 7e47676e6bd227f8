# SPDX-License-Identifier: GPL-2.0-only
"""A usage error of scripts/vm is one line and status 125, before anything boots."""

import shlex
import subprocess

import pytest

from kalloc_dev.core.paths import TREE


@pytest.mark.parametrize(("said", "words"), [
    ("unrecognized arguments: --colour", "--colour -- true"),
    ("unrecognized arguments: true", "true"),
    ("invalid choice: 'hurd'", "--kernel hurd -- true"),
    ("a COMMAND is wanted", ""),
    ("a COMMAND is wanted", "--"),
    ("wants a terminal", "--shell"),
    ("/nonexistent does not exist", "--add /nonexistent -- true"),
    ("/nonexistent does not exist", "--add /nonexistent:/there -- true"),
    ("not a number", "--cpus 0 -- true"),
    ("not a number", "--memory much -- true"),
    ("not a number of seconds", "--timeout 0 -- true"),
    ("one processor", "--icount --cpus 2 -- true"),
    ("packed image: stock, ", "--la57 --kernel debug -- true"),
    ("for kernels of x86_64", "--kernel arm64 --packages procps -- true"),
    ("not a device", "--device 'edu -bios x' -- true"),
    ("QEMU has no device florp", "--device florp -- true"),
    ("not the name of a package", "--packages procps,../x -- true"),
])
def test_mistake(said: str, words: str) -> None:
    """The line contains the error."""
    done = subprocess.run([TREE / "scripts/vm", *shlex.split(words)], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                          stderr=subprocess.PIPE, text=True, check=False)
    assert done.returncode == 125 and done.stderr.startswith("error: ") and done.stderr.count("\n") == 1, done
    assert said in done.stderr
