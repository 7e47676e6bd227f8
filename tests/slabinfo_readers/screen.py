# SPDX-License-Identifier: GPL-2.0
"""What a person sees: the screen of a terminal, from the bytes that a program sends it.

It knows the sequences that the programs under test use, and minds any other, so that what it
shows is never a guess.
"""

import re

LINES, COLUMNS = 40, 110

CONTROL = re.compile(rb"\x1b\[([?>=]?)([\d;]*)([@-~])")
# Modes, the cursor's looks, the keypad, character sets: they change no character. Nor do colours.
IGNORED = re.compile(rb"\x1b[=>78]|\x1b[()][A-Z0-9]|\x1b\[[?>=][\d;]*[a-zA-Z]|\x1b\[[\d;]*[mrhl]|[\x07\x0e\x0f\x00]")

COLOUR = re.compile(rb"\x1b\[(?:[\d;]*;)?(?:[349][0-7]|[34]8|10[0-7])(?:;[\d;]*)?m")


class Screen:
    """A grid of characters and a cursor."""

    def __init__(self, lines: int = LINES, columns: int = COLUMNS) -> None:
        self._lines, self._columns = lines, columns
        self._rest = b""
        self._modes: set[bytes] = set()
        self.coloured = False
        self._clear()

    def _clear(self) -> None:
        self._cells = [[" "] * self._columns for _ in range(self._lines)]
        self._line = self._column = 0

    def resize(self, lines: int, columns: int) -> None:
        """Makes it another size. What does not fit is gone; what is half received goes on."""
        kept = [[*cells[:columns], *[" "] * (columns - len(cells))] for cells in self._cells[:lines]]
        self._cells = [*kept, *([" "] * columns for _ in range(lines - len(kept)))]
        self._lines, self._columns = lines, columns
        self._line, self._column = min(self._line, lines - 1), min(self._column, columns)

    @property
    def left(self) -> bool:
        """Whether it is as a shell wants it: its own screen, not an alternate one, with a cursor."""
        return not self._modes

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
            self._mode(found[0])
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

    def _mode(self, sequence: bytes) -> None:
        """Remembers what a program must undo when it leaves, and whether it paints."""
        if sequence.startswith(b"\x1b[?1049"):
            self._clear()
        if sequence in (b"\x1b[?1049h", b"\x1b[?25l"):
            self._modes.add(sequence[:-1])
        elif sequence in (b"\x1b[?1049l", b"\x1b[?25h"):
            self._modes.discard(sequence[:-1])
        elif COLOUR.match(sequence):
            self.coloured = True

    def _put(self, character: str) -> None:
        # A character in the last column leaves the cursor there: the next one, if any, wraps.
        if self._column == self._columns:
            self._line, self._column = min(self._line + 1, self._lines - 1), 0
        self._cells[self._line][self._column] = character
        self._column += 1

    def _move(self, code: int) -> None:
        if code == 0x0d:
            self._column = 0
        elif code == 0x0a:
            if self._line == self._lines - 1:
                self._cells = [*self._cells[1:], [" "] * self._columns]
            else:
                self._line += 1
        elif code == 0x08:
            self._column = max(0, self._column - 1)
        elif code == 0x09:
            self._column = min(self._column // 8 * 8 + 8, self._columns - 1)
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
            self._erase(first, self._line * self._columns + self._column, self._lines * self._columns)
        elif what == b"K":
            start = self._line * self._columns
            self._erase(first, start + self._column, start + self._columns, start)
        else:
            raise ValueError(f"a sequence that is not known: {what!r} {numbers}")
        # What was meant for a larger terminal stays within this one.
        self._line = min(max(self._line, 0), self._lines - 1)
        self._column = min(max(self._column, 0), self._columns)

    def _erase(self, how: int, here: int, end: int, start: int = 0) -> None:
        """Blanks from here to the end (0), from the start to here (1), or all (2)."""
        for position in range(start if how else here, here + 1 if how == 1 else end):
            self._cells[position // self._columns][position % self._columns] = " "
