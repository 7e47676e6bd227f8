# SPDX-License-Identifier: GPL-2.0-only
"""Simple tables of reStructuredText with wrapped cells.

In docutils, a line whose first cell is not blank begins a row. A wrapped cell in the first column
therefore becomes a row of its own in the built page. A table with wrapped cells must be a
list-table.
"""

import re
from collections.abc import Iterator

RULE = re.compile(r" *=+( +=+)+ *")


def wrapped(text: str) -> Iterator[tuple[int, str]]:
    """Returns each line of a simple table that continues the row above, with its number."""
    lines = text.splitlines()
    number = 0
    while number < len(lines):
        if RULE.fullmatch(lines[number]):
            columns = [found.start() for found in re.finditer(r"(?<!=)=", lines[number])]
            end = after(lines, number)
            yield from continuations(lines, columns, number + 1, end)
            number = end
        number += 1


def after(lines: list[str], first: int) -> int:
    """Returns the line of the last rule of the table that begins with the rule at `first`."""
    last, number = first, first + 1
    while number < len(lines) and lines[number].strip():
        if RULE.fullmatch(lines[number]):
            last = number
        number += 1
    return last


def continuations(lines: list[str], columns: list[int], first: int, end: int) -> Iterator[tuple[int, str]]:
    """Returns the lines from `first` to `end` that the author meant as continuations of a row."""
    previous = ""
    for number in range(first, end):
        if RULE.fullmatch(lines[number]):
            previous = ""
            continue
        cells = [lines[number][start:stop].strip() for start, stop in zip(columns, [*columns[1:], None])]
        if not cells[0] or previous and (not any(cells[1:]) or previous.endswith(",")):
            yield number + 1, lines[number].strip()
        previous = cells[0] or previous
