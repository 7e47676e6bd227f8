# SPDX-License-Identifier: GPL-2.0-only
"""The output on standard error: steps, logs and failures."""

import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import NoReturn

TAIL_LINES = 15
# The first line of a report: by the kernel, a compiler, the linker or modpost; then by make or a shell,
# whose messages may also be about a program that is not needed.
TELLING = (
    re.compile(r"^(error(\[E\d+\])?|ERROR): |: (fatal )?error: |: undefined reference to |\bBUG: |\bOops: |Kernel panic"),
    re.compile(r"\*\*\* No rule to make target |: (command )?not found$|: cannot find "),
)


# The directories of programs for the administration of a system.
SYSTEM_PATH = ("/usr/local/sbin", "/usr/sbin", "/sbin")


class Failure(Exception):
    """An error for the user: one line with the problem and a hint."""

    def __init__(self, message: str, log: Path | None = None, status: int | None = None) -> None:
        super().__init__(message)
        self.log = log
        self.status = status


def say(line: str) -> None:
    """Prints one line, not interleaved with those of other threads."""
    sys.stderr.write(line + "\n")
    sys.stderr.flush()


@contextmanager
def step(title: str, log: Path) -> Iterator[Path]:
    """Runs a long step: prints its title and the path of its log, and then its duration."""
    log.parent.mkdir(parents=True, exist_ok=True)
    log.write_bytes(b"")
    say(f"==> {title} … (log: {log})")
    start = time.monotonic()
    yield log
    say(f"    {title}: done in {time.monotonic() - start:.0f} s")


def run(argv: Sequence[str | Path], log: Path, name: str = "", cwd: Path | None = None) -> None:
    """Runs a program with its output in `log`; a failure has the program's name and the log."""
    words = [str(word) for word in argv]
    # The words before a sandbox's last "--" enter the sandbox.
    shown = words[-words[::-1].index("--"):] if "--" in words else words
    with log.open("ab") as out:
        out.write(f"$ {' '.join(shown)}\n".encode())
        out.flush()
        done = subprocess.run(words, stdin=subprocess.DEVNULL, stdout=out, stderr=out, cwd=cwd, check=False)
    if done.returncode:
        raise Failure(f"{name or Path(argv[0]).name} failed with status {done.returncode}", log)


def tail(log: Path) -> str:
    """Returns the most informative part of a log: after the first error or panic, or the end."""
    lines = log.read_text(errors="replace").splitlines() if log.exists() else []
    errors = (number for telling in TELLING for number, line in enumerate(lines) if telling.search(line))
    first = next(errors, None)
    shown = lines[-TAIL_LINES:] if first is None else lines[first:][:2 * TAIL_LINES]
    return "\n".join("    | " + line for line in shown)


def main(body: Callable[[list[str]], int], failed: int = 1) -> NoReturn:
    """Runs a command's body; prints the exceptions that it raises.

    The exit status of an exception is `failed`, unless it has its own.
    """
    # An ordinary user's PATH lacks chroot and depmod, and su keeps it.
    os.environ["PATH"] = ":".join([os.environ.get("PATH") or os.defpath, *SYSTEM_PATH])
    # A killed make must not leave its children behind: handle SIGTERM as Ctrl-C.
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        status = body(sys.argv[1:])
    except Failure as failure:
        if failure.log:
            text = tail(failure.log)
            say(text + f"\nerror: {failure} (log: {failure.log})")
        else:
            say(f"error: {failure}")
        status = failed if failure.status is None else failure.status
    except KeyboardInterrupt:
        say("error: interrupted; what was finished is kept")
        status = 130
    except BrokenPipeError:
        status = 141
    except OSError as error:
        say(f"error: {error.filename or sys.argv[0]}: {error.strerror}")
        status = failed
    sys.stderr.flush()
    # Not sys.exit(): a worker thread may still wait for a child that ends with this process.
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        pass
    os._exit(status)
