# SPDX-License-Identifier: GPL-2.0
"""Programs with a time limit, and threads that wait for programs: what is given up leaves nothing running."""

import os
import signal
import subprocess
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from pathlib import Path

# Seconds for a program to clear up after itself.
GRACE = 10.0
LATE = -1

# The groups of processes that run: a program, and whatever it has started.
_groups: set[int] = set()


def run(argv: Sequence[str | Path], log: Path, cwd: Path, seconds: float) -> int:
    """Runs a program with its output in a new `log`. Returns its status, or LATE if it took longer, which the log says."""
    log.parent.mkdir(parents=True, exist_ok=True)
    with log.open("wb") as out:
        # A group of its own: a script that is killed does not take its guests with it.
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
    """Ends a group: first in such a way that it can clear up."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        # What runs as another user is in a namespace, which ends with the program that made it.
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
    """Whether one of a group runs. Who has ended is in it until he is asked for his status, which a container's first
    process may do late or never.
    """
    for path in Path("/proc").glob("[0-9]*/stat"):
        with suppress(OSError):
            # Before this comes the name, in parentheses.
            state, _, its_group = path.read_text(errors="replace").rpartition(")")[2].split()[:3]
            if int(its_group) == group and state not in "XZ":
                return True
    return False


def gone(command: str, seconds: float = GRACE) -> bool:
    """Whether no process has this in its command line, soon: the kernel ends a namespace's processes one by one."""
    deadline = time.monotonic() + seconds
    while any(command in line for line in _command_lines()):
        if time.monotonic() > deadline:
            return False
        time.sleep(0.1)
    return True


def _command_lines() -> Iterator[str]:
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        # It may have ended meanwhile.
        with suppress(OSError):
            yield path.read_bytes().replace(b"\0", b" ").decode(errors="replace")


@contextmanager
def pool(threads: int | None = None) -> Iterator[ThreadPoolExecutor]:
    """Threads that wait for programs. Whoever interrupts us does not wait for them: what they run is ended."""
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
