# SPDX-License-Identifier: GPL-2.0-only
"""The formats in which kalloctop shows numbers, computed anew from the file."""

from slabinfo import Row


def size(count: int) -> str:
    """Formats bytes."""
    if count < 1024:
        return str(count)
    value, units = count / 1024, "KMGTPE"
    while value >= 1023.95:
        value, units = value / 1024, units[1:]
    return f"{value:.1f}{units[0]}"


def percent(some: int, whole: int) -> str:
    """Formats a part of a whole."""
    return f"{100 * some / whole if whole else 0:.1f}%"


def cells(row: Row, whole: int) -> list[str]:
    """Returns a row of --once, if all rows take this number of bytes; a name may have blanks."""
    use = percent(row.active, row.objects) if row.objects else "-"
    return [*row.name.split(), str(row.active), str(row.objects), use, str(row.size), str(row.slabs), size(row.bytes),
            percent(row.bytes, whole)]


def live_cells(row: Row, whole: int) -> list[str]:
    """Returns the cells of a row that a live display of 110 columns always has."""
    return [*row.name.split(), str(row.active), size(row.bytes), percent(row.bytes, whole)]
