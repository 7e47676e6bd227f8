# SPDX-License-Identifier: GPL-2.0-only
"""A parser of slabinfo 2.1, as strict as the strictest program: it skips nothing and guesses
nothing.
"""

import re
from typing import NamedTuple

HEADER = (
    "slabinfo - version: 2.1\n"
    "# name            <active_objs> <num_objs> <objsize> <objperslab> <pagesperslab> : tunables <limit>"
    " <batchcount> <sharedfactor> : slabdata <active_slabs> <num_slabs> <sharedavail>\n"
)
WORDS = {6: ":", 7: "tunables", 11: ":", 12: "slabdata"}
CELLS = 16


class Row(NamedTuple):
    """The cells of a row, without those that are always 0."""

    name: str
    active: int
    objects: int
    size: int
    per_slab: int
    pages: int
    active_slabs: int
    slabs: int

    @property
    def bytes(self) -> int:
        """Returns the bytes that the slabs take."""
        return self.slabs * self.pages * 4096


def row(line: str) -> Row:
    """Parses a row of exactly sixteen cells, with nothing after the last."""
    cells = re.split(" +", line)
    if len(cells) != CELLS:
        raise ValueError(f"{len(cells)} cells: {line!r}")
    for position, word in WORDS.items():
        if cells[position] != word:
            raise ValueError(f"cell {position} is not {word!r}: {line!r}")
    numbers = [cell for position, cell in enumerate(cells[1:], 1) if position not in WORDS]
    if not all(re.fullmatch("[0-9]+", number) for number in numbers):
        raise ValueError(f"not a number: {line!r}")
    values = list(map(int, numbers))
    if values[5:8] != [0, 0, 0] or values[10]:
        raise ValueError(f"tunables: {line!r}")
    return Row(cells[0], *values[:5], *values[8:10])


def table(text: str) -> list[Row]:
    """Returns the rows of a whole file."""
    if not text.startswith(HEADER):
        raise ValueError(f"not the header: {text[:300]!r}")
    if not text.endswith("\n"):
        raise ValueError(f"the last line has no end: {text[-200:]!r}")
    return [row(line) for line in text[len(HEADER):].split("\n")[:-1]]
