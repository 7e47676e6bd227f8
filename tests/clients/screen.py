# SPDX-License-Identifier: GPL-2.0
"""What a person sees: the screen of a terminal, from the bytes that a program sends it.

It knows the sequences that the programs under test use, and minds any other, so that what it
shows is never a guess.
"""

import re

LINES, COLUMNS = 40, 110

CONTROL = re.compile(rb"\x1b\[([?>=]?)([\d;]*)([@-~])")
# Colours, modes, the cursor's looks, the keypad, character sets: they change no character.
IGNORED = re.compile(rb"\x1b[=>78]|\x1b[()][A-Z0-9]|\x1b\[[?>=][\d;]*[a-zA-Z]|\x1b\[[\d;]*[mrhl]|[\x07\x0e\x0f\x00]")


class Screen:
    """A grid of characters and a cursor."""

    def __init__(self) -> None:
        self._rest = b""
        self._clear()

    def _clear(self) -> None:
        self._cells = [[" "] * COLUMNS for _ in range(LINES)]
        self._line = self._column = 0

    def lines(self) -> list[str]:
        """The text, a line each, without spaces at the end."""
        return ["".join(cells).rstrip() for cells in self._cells]

    def feed(self, data: bytes) -> None:
        """Takes what came; a sequence that is not whole yet waits for the rest of it."""
        data = self._rest + data
        at = 0
        while at < len(data):
            used = self._take(data, at)
            if not used:
                break
            at += used
        self._rest = data[at:]
        if len(self._rest) > 32:
            raise ValueError(f"a sequence that is not known: {self._rest[:32]!r}")

    def _take(self, data: bytes, at: int) -> int:
        """Does what the sequence or the character at `at` says; returns its length, 0 if it is not whole."""
        if found := IGNORED.match(data, at):
            if found[0].startswith(b"\x1b[?1049"):
                self._clear()
            return len(found[0])
        if found := CONTROL.match(data, at):
            self._control(found[3], [int(number or 0) for number in found[2].split(b";")])
            return len(found[0])
        first = data[at]
        if first == 0x1b:
            return 0
        if first < 0x20:
            self._move(first)
            return 1
        length = 1 if first < 0x80 else 2 if first < 0xe0 else 3 if first < 0xf0 else 4
        if at + length > len(data):
            return 0
        self._put(data[at:at + length].decode())
        return length

    def _put(self, character: str) -> None:
        # A character in the last column leaves the cursor there: the next one, if any, wraps.
        if self._column == COLUMNS:
            self._line, self._column = min(self._line + 1, LINES - 1), 0
        self._cells[self._line][self._column] = character
        self._column += 1

    def _move(self, code: int) -> None:
        if code == 0x0d:
            self._column = 0
        elif code == 0x0a:
            if self._line == LINES - 1:
                self._cells = [*self._cells[1:], [" "] * COLUMNS]
            else:
                self._line += 1
        elif code == 0x08:
            self._column = max(0, self._column - 1)
        elif code == 0x09:
            self._column = min(self._column // 8 * 8 + 8, COLUMNS - 1)
        else:
            raise ValueError(f"a control character that is not known: {code:#x}")

    def _control(self, what: bytes, numbers: list[int]) -> None:
        first = numbers[0]
        if what in b"Hf":
            self._line, self._column = max(first, 1) - 1, max([*numbers, 1][1], 1) - 1
        elif what == b"d":
            self._line = max(first, 1) - 1
        elif what == b"G":
            self._column = max(first, 1) - 1
        elif what in b"ABCD":
            step = max(first, 1)
            self._line += {b"A": -step, b"B": step}.get(what, 0)
            self._column += {b"C": step, b"D": -step}.get(what, 0)
        elif what == b"J":
            self._erase(first, self._line * COLUMNS + self._column, LINES * COLUMNS)
        elif what == b"K":
            start = self._line * COLUMNS
            self._erase(first, start + self._column, start + COLUMNS, start)
        else:
            raise ValueError(f"a sequence that is not known: {what!r} {numbers}")

    def _erase(self, how: int, here: int, end: int, start: int = 0) -> None:
        """Blanks from here to the end (0), from the start to here (1), or all (2)."""
        for position in range(start if how else here, here + 1 if how == 1 else end):
            self._cells[position // COLUMNS][position % COLUMNS] = " "
