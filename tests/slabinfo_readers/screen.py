# SPDX-License-Identifier: GPL-2.0-only
"""The screen of a terminal: pyte's, which ignores unknown sequences and has no alternate screen."""

from typing import Any

import pyte
from pyte.modes import DECTCEM

LINES, COLUMNS = 40, 110
# The mode of the alternate screen, shifted as pyte shifts private modes.
ALTERNATE = 1049 << 5


class Stream(pyte.ByteStream):
    """Knows the sequences of the keypad as well; they change no character."""

    escape = {**pyte.ByteStream.escape, "=": "bell", ">": "bell"}


class Screen(pyte.Screen):
    """A screen that raises an error for any unknown sequence, so that it is always exact."""

    def __init__(self, lines: int = LINES, columns: int = COLUMNS) -> None:
        self.coloured = False
        super().__init__(columns, lines)
        self.feed = Stream(self).feed

    @property
    def left(self) -> bool:
        """Returns whether the state is the one that a shell needs: its own screen, not an alternate
        one, with a cursor.
        """
        return DECTCEM in self.mode and ALTERNATE not in self.mode

    def text(self) -> list[str]:
        """Returns the text, line by line, without spaces at the end."""
        return [line.rstrip() for line in self.display]

    def set_mode(self, *modes: int, **private: Any) -> None:
        """Sets modes; an alternate screen is empty."""
        super().set_mode(*modes, **private)
        self._switch(modes)

    def reset_mode(self, *modes: int, **private: Any) -> None:
        """Resets modes; the text before an alternate screen is not kept."""
        super().reset_mode(*modes, **private)
        self._switch(modes)

    def _switch(self, modes: tuple[int, ...]) -> None:
        if 1049 in modes:
            self.erase_in_display(2)
            self.cursor_position()

    def select_graphic_rendition(self, *attributes: int, **private: Any) -> None:
        """Records whether a color was chosen."""
        super().select_graphic_rendition(*attributes, **private)
        self.coloured |= (self.cursor.attrs.fg, self.cursor.attrs.bg) != ("default", "default")

    def draw(self, data: str) -> None:
        """Prints characters; raises an error for those that pyte would drop or has replaced."""
        if not data.isprintable() or "\ufffd" in data:
            self.debug(data)
        super().draw(data)

    def debug(self, *what: Any, **private: Any) -> None:
        """Raises an error: pyte calls this for each unknown sequence."""
        raise ValueError(f"a sequence that is not known: {what} {private}")
