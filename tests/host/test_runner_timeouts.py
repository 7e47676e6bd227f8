# SPDX-License-Identifier: GPL-2.0
"""A test that takes too long, or is interrupted, ends with all that it has started."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from kalloc_dev.core import process
from kalloc_dev.core.paths import TREE

# Seconds of a nap: a time of our own, so that nobody else's is taken for ours.
NAP = f"62.{os.getpid()}"
# A program as scenarios are: what it waits for is a child.
WAITS = ["sh", "-c", 'sleep "$0" & echo begun; wait']
# One that does not mind being asked to end; nor does its child.
STUBBORN = ["sh", "-c", "trap '' TERM; sleep \"$0\" & echo begun; wait"]
# As `make test` does it: more programs than threads.
RUNNER = """
import sys
from pathlib import Path
from kalloc_dev.core import process
from rust_kbuild.console import main
def body(words):
    folder, *argv = words
    with process.pool(2) as pool:
        for done in [pool.submit(process.run, argv, Path(folder, str(number)), Path("/"), 600.0) for number in range(3)]:
            done.result()
    return 0
main(body)
"""


@pytest.mark.parametrize("argv", [WAITS, STUBBORN], ids=["waits", "stubborn"])
def test_late(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, argv: list[str]) -> None:
    """A program that takes too long is ended, with its children, and the log says so."""
    # A program that ignores SIGTERM is not waited for long.
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
    """Whoever is told to end ends what its threads wait for, and starts no more."""
    nap = f"{NAP}{number:d}"
    # A test in the background of a shell has Ctrl-C ignored, and its children inherit that.
    runner = subprocess.Popen([sys.executable, "-c", RUNNER, tmp_path, *WAITS, nap],
                              env=os.environ | {"PYTHONPATH": str(TREE / "scripts")},
                              stderr=subprocess.PIPE, text=True, preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL))
    while sum(log.read_text() == "begun\n" for log in tmp_path.glob("[0-9]")) < 2:
        assert runner.poll() is None, runner.communicate()
        time.sleep(0.02)
    # A child has begun, but may still have the shell's command line: it is a moment until it becomes `sleep`.
    deadline = time.monotonic() + 10
    while process.gone(f"sleep {nap}", 0.0):
        assert time.monotonic() < deadline, "no child runs"
        time.sleep(0.02)
    runner.send_signal(number)
    _, said = runner.communicate(timeout=30)
    assert runner.returncode == 130 and "error: interrupted" in said, (runner.returncode, said)
    assert process.gone(f"sleep {nap}"), "a child lives on"
    assert sorted(log.name for log in tmp_path.iterdir()) == ["0", "1"], "one more was started"
