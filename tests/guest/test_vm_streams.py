# SPDX-License-Identifier: GPL-2.0-only
"""The streams of scripts/vm: input, a slow reader, no reader, no room, and the size of a terminal."""

import hashlib
import os
import signal
import subprocess
import time
from pathlib import Path

import pytest
import terminal
from terminal import Terminal

from kalloc_dev.core.paths import BUILD, TREE

VM = TREE / "scripts/vm"
SLOW = 10.0


def test_input_and_long_command() -> None:
    """Every byte of the input arrives, also by a command that is longer than an argument may be and no UTF-8."""
    data = os.urandom(3_000_000)
    command = b"sha256sum; wc -c <<'end'\n" + b"\xff" * 200_000 + b"\nend\n"
    # The host limits an argument as well: the command comes in pieces.
    words = [command[at:at + 100_000] for at in range(0, len(command), 100_000)]
    call = [os.fsencode(VM), b"--", b"sh", b"-c", b'eval "$1$2$3"', b"sh", *words]
    done = subprocess.run(call, input=data, stdout=subprocess.PIPE, check=True)
    assert done.stdout.decode().split() == [hashlib.sha256(data).hexdigest(), "-", "200001"]


@pytest.mark.long
def test_slow_reader() -> None:
    """A reader that pauses loses nothing."""
    with subprocess.Popen([VM, "--", "seq -w 0 999999"], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE) as process:
        assert process.stdout
        first = process.stdout.read(1)
        time.sleep(SLOW)
        text = first + process.stdout.read()
    assert process.returncode == 0 and text == b"".join(b"%06d\n" % number for number in range(1_000_000))


def test_no_reader() -> None:
    """The guest ends with the reader of its output."""
    done = subprocess.run(["bash", "-c", f'"{VM}" -- yes | head -n 1; echo "${{PIPESTATUS[0]}}"'], stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, text=True, check=True)
    assert done.stdout.split() == ["y", str(128 + signal.SIGPIPE)]


def test_no_room() -> None:
    """An output that cannot be written is an error."""
    with open("/dev/full", "wb") as full:
        done = subprocess.run([VM, "--", "seq 100000"], stdin=subprocess.DEVNULL, stdout=full, stderr=subprocess.PIPE, text=True,
                              check=False)
    assert done.returncode == 125 and "error: the output cannot be written: No space left on device" in done.stderr, done


@pytest.mark.long
def test_killed() -> None:
    """The next run removes the directory of a run that was killed."""
    with subprocess.Popen([VM, "--", "echo; sleep 1000"], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE) as process:
        assert process.stdout
        process.stdout.readline()
        ours = [path for path in BUILD.glob("vm-*/") if _owned(path, process.pid)]
        process.kill()
    assert len(ours) == 1 and ours[0].exists()
    subprocess.run([VM, "--", "true"], stdin=subprocess.DEVNULL, check=True)
    assert not ours[0].exists()


def _owned(directory: Path, pid: int) -> bool:
    """Returns whether the process has the directory open."""
    return any(os.path.realpath(link) == str(directory) for link in Path(f"/proc/{pid}/fd").iterdir())


def test_terminal_size() -> None:
    """A shell has the size of its terminal, and follows it."""
    terminal.PATIENCE = 200.0  # a boot on a busy machine
    with Terminal(str(VM), "--shell", size=(30, 90)) as shell:
        shell.until("the prompt", lambda lines: any(line.startswith("kalloc:") for line in lines))
        for size in ((30, 90), (33, 77)):
            shell.resize(*size)
            wanted = " ".join(map(str, size))
            shell.type(f"until [ \"$(stty size)\" = '{wanted}' ]; do usleep 1000; done; echo it is $((40 + 2))\n")
            shell.until(wanted, lambda lines: "it is 42" in lines)
            shell.type("clear\n")
            shell.until("a clear screen", lambda lines: "it is 42" not in lines)
        shell.type("exit 3\n")
        assert shell.end() == 3
