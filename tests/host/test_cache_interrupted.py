# SPDX-License-Identifier: GPL-2.0-only
"""The cache: a killed run leaves no incomplete entry in use, and two runs at once make an entry
once.
"""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from kalloc_dev.core.paths import TREE
from kalloc_dev.core.process import gone

# Makes an entry in two steps and reports each. A child process does the work, like a compiler.
MAKER = """
import sys
from kalloc_dev.core import store
from kalloc_dev.core.sandbox import as_root
from rust_kbuild.console import main, run
def make(directory):
    with (directory.parent / "made").open("a") as made: made.write("once ")
    (directory / "first").touch()
    run(as_root(["sh", "-c", 'sleep "$1"; echo "$1" >>"$2"', "sh", sys.argv[1], directory / "second"]), directory.parent / "log")
def body(_):
    print((store.entry("busybox", "test", make, resume=len(sys.argv) > 2) / "second").read_text())
    return 0
main(body)
"""


def start(cache: Path, *arguments: str) -> "subprocess.Popen[str]":
    """Starts a run that uses the entry."""
    environment = os.environ | {"KALLOC_CACHE": str(cache), "PYTHONPATH": str(TREE / "scripts")}
    # A shell makes background programs ignore SIGINT, and their children inherit that.
    return subprocess.Popen([sys.executable, "-c", MAKER, *arguments], env=environment, text=True,
                            stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL))


def begun(run: "subprocess.Popen[str]", cache: Path) -> None:
    """Waits for the first step, and a little for the second to start."""
    while not (cache / "busybox-test/first").exists():
        assert run.poll() is None, run.communicate()
        time.sleep(0.02)
    time.sleep(0.3)


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_killed_run(tmp_path: Path, number: signal.Signals) -> None:
    """A run that is killed leaves no child, and no complete entry."""
    # A unique time, so that the child of another run is not taken for this one's.
    nap = f"61.{os.getpid()}{number:d}"
    killed = start(tmp_path, nap)
    begun(killed, tmp_path)
    killed.send_signal(number)
    killed.wait(10)
    assert killed.returncode == (130 if number != signal.SIGKILL else -number), killed.returncode
    assert gone(f"sleep {nap}"), "a child lives on"
    assert not (tmp_path / "busybox-test/.complete").exists()
    killed.communicate()


def test_two_runs_at_once(tmp_path: Path) -> None:
    """Two runs at once make an entry once."""
    first = start(tmp_path, "0.5")
    begun(first, tmp_path)
    second = start(tmp_path, "0.5")
    assert (first.communicate()[0], second.communicate()[0]) == ("0.5\n\n", "0.5\n\n")
    assert (tmp_path / "made").read_text() == "once ", "made more than once"


def test_run_after_a_killed_one(tmp_path: Path) -> None:
    """A run completes the entry that a killed one left incomplete."""
    killed = start(tmp_path, "61.5")
    begun(killed, tmp_path)
    killed.kill()
    killed.communicate()
    (tmp_path / "busybox-test/first").unlink()
    assert start(tmp_path, "0.1").communicate()[0] == "0.1\n\n"
    assert (tmp_path / "made").read_text() == "once once "


def test_prune(tmp_path: Path) -> None:
    """--prune removes entries that no command uses, and nothing else."""
    assert start(tmp_path, "0.1").communicate()[0] == "0.1\n\n"
    subprocess.run([TREE / "scripts/kalloc", "setup", "--prune"], env=os.environ | {"KALLOC_CACHE": str(tmp_path)}, check=True,
                   capture_output=True)
    assert not (tmp_path / "busybox-test").exists() and (tmp_path / "made").exists()
