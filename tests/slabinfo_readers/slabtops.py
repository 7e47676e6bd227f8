# SPDX-License-Identifier: GPL-2.0-only
"""Two versions of slabtop, one of procps and one in Rust: run once, and live on a terminal."""

import os
import re
import subprocess
from collections.abc import Callable
from dataclasses import dataclass

import exercise
from slabinfo import Row
from terminal import Terminal

# The value that each key sorts by, the largest first.
ORDERS: dict[str, Callable[[Row], float]] = {
    "a": lambda row: row.active,
    "b": lambda row: row.per_slab,
    "c": lambda row: row.bytes,
    "l": lambda row: row.slabs,
    "o": lambda row: row.objects,
    "p": lambda row: row.pages,
    "s": lambda row: row.size,
    "u": lambda row: row.active / row.objects,
    "v": lambda row: row.active_slabs,
}


def in_kilobytes(row: Row) -> list[str]:
    """Returns a row as procps shows it."""
    return [str(row.objects), str(row.active), f"{100 * row.active // row.objects}%", f"{row.size / 1024:.2f}K",
            str(row.slabs), str(row.per_slab), f"{row.bytes // 1024}K", row.name]


def with_units(row: Row) -> list[str]:
    """Returns a row as the version in Rust shows it."""
    def size(count: int) -> str:
        return f"{count}B" if count < 1 << 10 else \
            f"{count / (1 << 10):.2f}K" if count < 1 << 20 else f"{count / (1 << 20):.2f}M"
    return [str(row.objects), str(row.active), f"{100 * row.active / row.objects:.0f}%", size(row.size),
            str(row.slabs), str(row.per_slab), size(row.bytes), row.name]


@dataclass
class Slabtop:
    """A version of slabtop: its command and its format of a row."""

    program: str
    cells: Callable[[Row], list[str]]
    delay: str
    keys: str

    def shown(self, lines: list[str]) -> list[list[str]]:
        """Returns the rows below the line with the columns' names, in cells."""
        heads = [number for number, line in enumerate(lines) if line.split()[:2] == ["OBJS", "ACTIVE"]]
        return [line.split() for line in lines[heads[0] + 1:] if line] if heads else []

    def shows(self, lines: list[str], rows: list[Row], key: str) -> bool:
        """Returns whether all rows are shown with the numbers of the file, in the order of this
        key.
        """
        by_cells = {tuple(self.cells(row)): row for row in rows}
        shown = [by_cells.get(tuple(cells)) for cells in self.shown(lines)]
        if None in shown or len(shown) != len(rows) or set(shown) != set(rows):
            return False
        return in_order([row for row in shown if row], key)

    def once(self, rows: list[Row]) -> None:
        """Runs every sort order, without a terminal."""
        for key in [*self.keys, "n"]:
            done = subprocess.run([self.program, "-o", "-s", key], capture_output=True, text=True, check=False)
            assert done.returncode == 0 and not done.stderr, (self.program, key, done)
            assert self.shows(done.stdout.splitlines(), rows, key), f"{self.program} -s {key}\n{done.stdout}"

    def live(self) -> None:
        """On a terminal: follows the file, sorts by each key, and exits cleanly."""
        rows = exercise.hold()
        with Terminal(self.program, "-d", self.delay) as terminal:
            terminal.until("the rows", lambda lines: self.shows(lines, rows, "o"))
            for key in self.keys:
                # The rows are sorted by name in between, so that each key changes the order.
                for pressed in ("n", key):
                    assert pressed == "n" or not in_order(sorted(rows, key=lambda row: row.name), pressed), pressed
                    terminal.type(pressed)
                    terminal.until(f"sorted by {pressed}",
                                   lambda lines, by=pressed: self.shows(lines, rows, by))  # type: ignore[misc]
            # Without a key, the program must seek to the start of the file by itself.
            for more in (1, 0):
                rows = exercise.hold(more)
                lines = terminal.until(f"{more} more", lambda lines, rows=rows: self.shows(lines, rows, self.keys[-1]))  # type: ignore[misc]
                totals(lines, rows)
            terminal.type("q")
            assert terminal.end() == 0, self.program


def in_order(rows: list[Row], key: str) -> bool:
    """Returns whether the rows are in the order of this key; equal ones may be in any order."""
    if key == "n":
        return rows == sorted(rows, key=lambda row: row.name)
    values = [ORDERS[key](row) for row in rows]
    return values == sorted(values, reverse=True)


def totals(lines: list[str], rows: list[Row]) -> None:
    """Compares the sums above the rows."""
    active, objects = sum(row.active for row in rows), sum(row.objects for row in rows)
    slabs = sum(row.slabs for row in rows)
    for name, wanted in (("Objects", f"{active} / {objects} ({100 * active / objects:.1f}%)"),
                         ("Slabs", f"{slabs} / {slabs} (100.0%)")):
        said = [line.partition(":")[2].strip() for line in lines if line.split()[:4] == ["Active", "/", "Total", name]]
        assert said == [wanted], (said, wanted)


def held(lines: list[str], rows: list[Row]) -> None:
    """The pages and the objects of a row both amount to the memory of its blocks, and the size
    above the rows is their sum.
    """
    for row in rows:
        unit, taken = exercise.taken()[row.name]
        objects = row.objects * row.size
        # Blocks of one size leave a part of a slab unused; other blocks leave less than a page and
        # less than a block.
        fits = taken <= objects < taken + row.per_slab * row.size and objects <= row.bytes if unit else \
            taken <= row.bytes < taken + 4096 and row.bytes - row.size < objects <= row.bytes
        assert fits, f"{row.name} takes {taken}: {row}"
    said = re.search(r"Total Size \(% used\) *: [\d.]+K / ([\d.]+)K", "\n".join(lines))
    assert said and abs(float(said[1]) - sum(row.objects * row.size for row in rows) / 1024) < 0.01, lines


PROCPS = Slabtop("slabtop", in_kilobytes, "1", "abclopsuv")
# This version does not support v.
RUST = Slabtop("/opt/slabtop", with_units, "0.5", "abclopsu")


def check() -> None:
    """Returns both versions; the one in Rust is missing if its registry is unreachable, which the
    host reports.
    """
    rows = exercise.hold()
    done = subprocess.run([PROCPS.program, "-o"], capture_output=True, text=True, check=True)
    held(done.stdout.splitlines(), rows)
    for slabtop in (PROCPS, RUST) if os.path.exists(RUST.program) else (PROCPS,):
        slabtop.once(exercise.hold())
        slabtop.live()
