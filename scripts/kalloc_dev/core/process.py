# SPDX-License-Identifier: GPL-2.0-only
"""Programs with a time limit, and threads that wait for programs.

A program that is given up leaves no process behind.
"""

import os
import signal
import subprocess
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path

# The time for a program to clean up, in seconds.
GRACE = 10.0
LATE = -1

# The running process groups: each has a program and its descendants.
_groups: set[int] = set()


def run(argv: Sequence[str | Path], log: Path, cwd: Path, seconds: float) -> int:
    """Runs a program with its output in a new `log`.

    Returns its status, or LATE if it took longer; the log then has a line about it.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("wb") as out:
        # A group of its own, because a killed script does not end its guests.
        process = subprocess.Popen(argv, cwd=cwd, stdin=subprocess.DEVNULL, stdout=out, stderr=out, start_new_session=True)
        _groups.add(process.pid)
        try:
            return process.wait(seconds)
        except subprocess.TimeoutExpired:
            _end(process.pid)
            process.poll()
            out.write(f"no end after {seconds:.0f} s\n".encode())
            return LATE
        except KeyboardInterrupt:
            _end(process.pid)
            raise
        finally:
            _groups.discard(process.pid)


def _end(group: int) -> None:
    """Ends a group, at first with a signal that lets it clean up."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        # A process of another user is in a namespace, which ends with the program that created it.
        with suppress(ProcessLookupError, PermissionError):
            os.killpg(group, number)
        deadline = time.monotonic() + GRACE
        while _runs(group):
            if time.monotonic() > deadline:
                break
            time.sleep(0.02)
        else:
            return


def _runs(group: int) -> bool:
    """Returns whether a process of a group runs.

    A zombie remains in its group until its parent waits for it. The first process of a container
    may do that late or never.
    """
    for path in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            # The name precedes these fields, in parentheses.
            state, _, its_group = path.read_text(errors="replace").rpartition(")")[2].split()[:3]
            if int(its_group) == group and state not in "XZ":
                return True
    return False


def gone(command: str, seconds: float = GRACE) -> bool:
    """Waits until no process has this text in its command line; returns whether that is so in time.

    The kernel ends the processes of a namespace one by one.
    """
    deadline = time.monotonic() + seconds
    while any(command in line for line in _command_lines()):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.1)
    return True


def _command_lines() -> Iterator[str]:
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        # The process may have ended in the meantime.
        with suppress(OSError):
            yield path.read_bytes().replace(b"\0", b" ").decode(errors="replace")


@contextmanager
def pool(threads: int | None = None) -> Iterator[ThreadPoolExecutor]:
    """Yields threads that wait for programs; an interrupt ends these programs first."""
    executor = ThreadPoolExecutor(threads)
    try:
        yield executor
    except KeyboardInterrupt:
        executor.shutdown(wait=False, cancel_futures=True)
        for group in list(_groups):
            _end(group)
        raise
    except BaseException:
        executor.shutdown()
        raise
    executor.shutdown()
