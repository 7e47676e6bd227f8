# SPDX-License-Identifier: GPL-2.0-only
"""The streams of a guest's command: its outputs, its input, and the size of its terminal.

A port of the guest has no end that the host can see. The guest therefore ends each output by a mark, which only this guest
knows, and the host precedes each piece of input by its length.
"""

import os
import shutil
import threading
import time
from collections.abc import Callable
from typing import BinaryIO

from rust_kbuild.console import say

# The time in seconds without any progress after which an output has no mark.
LOST = 15.0
CHUNK = 1 << 16


class Output(threading.Thread):
    """Copies an output of the guest to a file, up to its mark, as it arrives.

    If the file cannot be written, `failed` is called: the command's output has no reader.
    """

    def __init__(self, source: int, sink: BinaryIO, mark: bytes, failed: Callable[[], None]) -> None:
        super().__init__(daemon=True)
        self.error: OSError | None = None
        self._source, self._sink, self._mark, self._failed = source, sink, mark, failed
        self._read, self._reading = time.monotonic(), True
        self.start()

    def run(self) -> None:
        """Copies until the mark, or until the port is closed."""
        held = b""
        while data := self._next():
            whole, marked, rest = (held + data).partition(self._mark)
            # The end of the data may be the beginning of the mark.
            keep = 0 if marked else next(
                length for length in reversed(range(len(self._mark))) if whole.endswith(self._mark[:length]))
            self._write(whole[:len(whole) - keep])
            if marked:
                return
            held = whole[len(whole) - keep:] + rest
        self._write(held)

    def finish(self) -> None:
        """Waits until all output is written, for a reader as slow as it may be."""
        start = time.monotonic()
        while self.is_alive() and not (self._reading and time.monotonic() - max(start, self._read) > LOST):
            self.join(0.1)

    def _next(self) -> bytes:
        data = os.read(self._source, CHUNK)
        self._read, self._reading = time.monotonic(), False
        return data

    def _write(self, data: bytes) -> None:
        try:
            if data and not self.error:
                self._sink.write(data)
                self._sink.flush()
        except OSError as error:
            self.error = error
            self._failed()
        self._read, self._reading = time.monotonic(), True


def feed(port: int, source: int) -> None:
    """Copies a file to the guest in a thread of its own: each piece after its length, and 0 at the end."""
    def copy() -> None:
        try:
            while data := os.read(source, CHUNK):
                _send(port, b"%d\n%b" % (len(data), data))
        except BrokenPipeError:
            return
        except OSError as error:
            say(f"standard input: {error.strerror}")
        _send(port, b"0\n")

    threading.Thread(target=copy, daemon=True).start()


def send_size(port: int) -> None:
    """Sends the size of the terminal to the guest."""
    columns, lines = shutil.get_terminal_size()
    _send(port, b"%d %d\n" % (lines, columns))


def _send(port: int, data: bytes) -> None:
    try:
        while data:
            data = data[os.write(port, data):]
    except BrokenPipeError:
        # The guest has ended.
        pass
