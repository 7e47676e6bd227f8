# SPDX-License-Identifier: GPL-2.0-only
"""A test that takes too long, or is interrupted, ends together with all processes that it has
started.
"""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from kalloc_dev.core import process
from kalloc_dev.core.paths import TREE

# The seconds of a sleep: a unique number, so that processes of other runs are not counted.
NAP = f"62.{os.getpid()}"
# A program like the scenarios: it waits for a child.
WAITS = ["sh", "-c", 'sleep "$0" & echo begun; wait']
# A program that ignores SIGTERM; so does its child.
STUBBORN = ["sh", "-c", "trap '' TERM; sleep \"$0\" & echo begun; wait"]
# Like `make test`: more programs than threads.
RUNNER = """
import sys
from pathlib import Path
from kalloc_dev.core import process
from rust_kbuild.console import main
def body(words):
    directory, *argv = words
    with process.pool(2) as pool:
        for done in [pool.submit(process.run, argv, Path(directory, str(number)), Path("/"), 600.0) for number in range(3)]:
            done.result()
    return 0
main(body)
"""


@pytest.mark.parametrize("argv", [WAITS, STUBBORN], ids=["waits", "stubborn"])
def test_late(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, argv: list[str]) -> None:
    """A program that takes too long is ended with its children, and the log states so."""
    # A program that ignores SIGTERM gets SIGKILL after a short time.
    monkeypatch.setattr(process, "GRACE", 1.0)
    start = time.monotonic()
    status = process.run([*argv, NAP], tmp_path / "log", tmp_path, 3.0)
    assert status == process.LATE, status
    assert time.monotonic() - start < 15
    assert (tmp_path / "log").read_text() == "begun\nno end after 3 s\n", (tmp_path / "log").read_text()
    assert process.gone(f"sleep {NAP}"), "a child lives on"


def test_status(tmp_path: Path) -> None:
    """The status is the program's."""
    assert process.run(["sh", "-c", "exit 3"], tmp_path / "log", tmp_path, 60.0) == 3


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_interrupted(tmp_path: Path, number: signal.Signals) -> None:
    """A terminated runner ends the programs that its threads wait for, and starts no others."""
    nap = f"{NAP}{number:d}"
    # A shell makes background programs ignore SIGINT, and their children inherit that.
    runner = subprocess.Popen([sys.executable, "-c", RUNNER, tmp_path, *WAITS, nap],
                              env=os.environ | {"PYTHONPATH": str(TREE / "scripts")},
                              stderr=subprocess.PIPE, text=True, preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL))
    while sum(log.read_text() == "begun\n" for log in tmp_path.glob("[0-9]")) < 2:
        assert runner.poll() is None, runner.communicate()
        time.sleep(0.02)
    # A child has begun, but may still have the shell's command line until it executes `sleep`.
    deadline = time.monotonic() + 10
    while process.gone(f"sleep {nap}", 0.0):
        assert time.monotonic() < deadline, "no child runs"
        time.sleep(0.02)
    runner.send_signal(number)
    _, said = runner.communicate(timeout=30)
    assert runner.returncode == 130 and "error: interrupted" in said, (runner.returncode, said)
    assert process.gone(f"sleep {nap}"), "a child lives on"
    assert sorted(log.name for log in tmp_path.iterdir()) == ["0", "1"], "one more was started"
