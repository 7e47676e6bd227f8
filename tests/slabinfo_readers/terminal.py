# SPDX-License-Identifier: GPL-2.0-only
"""A program on a pseudo-terminal: its keyboard, its screen, and its exit.

pexpect would not do: it sends signals to a program whose terminal it closes, and once a program has left the terminal, it
waits for the end without a limit.
"""

import os
import pty
import select
import signal
import termios
import time
from collections.abc import Callable

from screen import COLUMNS, LINES, Screen

PATIENCE = 30.0


class Terminal:
    """Runs a program until it ends, or the `with` block is left."""

    def __init__(self, *argv: str, size: tuple[int, int] = (LINES, COLUMNS), **env: str) -> None:
        self.argv = argv
        self.screen = Screen(*size)
        self._open = True
        self._child, self.keyboard = pty.fork()
        if not self._child:
            try:
                termios.tcsetwinsize(0, size)
                os.execvpe(argv[0], argv, os.environ | {"TERM": "vt100"} | env)
            finally:
                os._exit(127)

    def __enter__(self) -> "Terminal":
        return self

    def __exit__(self, *_: object) -> None:
        if self._child:
            os.kill(self._child, signal.SIGKILL)
            os.waitpid(self._child, 0)
        if self.keyboard >= 0:
            os.close(self.keyboard)

    def type(self, keys: str) -> None:
        """Presses keys."""
        os.write(self.keyboard, keys.encode())

    def resize(self, lines: int, columns: int) -> None:
        """Resizes the terminal: the screen first, so that the program draws only for the new size.
        """
        self.screen.resize(lines, columns)
        termios.tcsetwinsize(self.keyboard, (lines, columns))

    def signal(self, number: int) -> None:
        """Sends the program a signal."""
        os.kill(self._child, number)

    def hang_up(self) -> None:
        """Closes the terminal."""
        os.close(self.keyboard)
        self.keyboard, self._open = -1, False

    def until(self, what: str, seen: Callable[[list[str]], bool]) -> list[str]:
        """Waits until the screen satisfies the condition, and returns it; fails after a timeout."""
        deadline = time.monotonic() + PATIENCE
        while not seen(lines := self.screen.text()):
            if time.monotonic() > deadline or not self._open:
                shown = "\n".join(line for line in lines if line)
                raise AssertionError(f"{' '.join(self.argv)}: never shown: {what}\n{shown}")
            self._read(0.2)
        return lines

    def stopped(self) -> None:
        """Waits for the program to stop, not to end."""
        _, status = os.waitpid(self._child, os.WUNTRACED)
        assert os.WIFSTOPPED(status), status
        while select.select([self.keyboard], [], [], 0)[0]:
            self._read(0)

    def end(self) -> int:
        """Waits for the program to end; returns its exit status."""
        deadline = time.monotonic() + PATIENCE
        while self._open and time.monotonic() < deadline:
            self._read(0.2)
        if self._open:
            raise AssertionError(f"{' '.join(self.argv)} does not end")
        while not (ended := os.waitpid(self._child, os.WNOHANG))[0]:
            if time.monotonic() > deadline:
                raise AssertionError(f"{' '.join(self.argv)} has left the terminal, and does not end")
            time.sleep(0.01)
        self._child = 0
        return os.waitstatus_to_exitcode(ended[1])

    def _read(self, seconds: float) -> None:
        if not select.select([self.keyboard], [], [], seconds)[0]:
            return
        try:
            data = os.read(self.keyboard, 1 << 16)
        except OSError:
            # The error of a terminal after the last program has left it.
            data = b""
        self._open = bool(data)
        self.screen.feed(data)
