# SPDX-License-Identifier: GPL-2.0
"""How kalloctop shows numbers, computed anew from the file."""

from slabinfo import Row


def size(count: int) -> str:
    """Bytes."""
    if count < 1024:
        return str(count)
    value, units = count / 1024, "KMGTPE"
    while value >= 1023.95:
        value, units = value / 1024, units[1:]
    return f"{value:.1f}{units[0]}"


def percent(some: int, whole: int) -> str:
    """A part of a whole."""
    return f"{100 * some / whole if whole else 0:.1f}%"


def cells(row: Row, whole: int) -> list[str]:
    """A row of --once, if all rows have so many bytes; a name may have blanks."""
    use = percent(row.active, row.objects) if row.objects else "-"
    return [*row.name.split(), str(row.active), str(row.objects), use, str(row.size), str(row.slabs), size(row.bytes),
            percent(row.bytes, whole)]


def live_cells(row: Row, whole: int) -> list[str]:
    """The cells of a row that a live display of 110 columns has whatever happens."""
    return [*row.name.split(), str(row.active), size(row.bytes), percent(row.bytes, whole)]
