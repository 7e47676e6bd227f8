# SPDX-License-Identifier: GPL-2.0-only
"""kalloc_exercise as the source of rows: loads it, and makes it keep blocks that distinguish the
columns.
"""

import subprocess

import slabinfo

FILE = "/proc/kallocinfo"
SITES = "/sys/kernel/debug/kalloc/sites"
CONTROL = "/sys/kernel/debug/kalloc/exercise"
WORKLOADS = "kbox kvec karray kvarray cache pages fpages vmap vbox varray".split()
# The number of blocks that each workload keeps, and their size where it can be chosen.
KEPT = (70, 3, 40, 9, 130, 5, 2, 30, 6, 12)
SIZES = (64, 8, 700, 3000, 64, 9000, 4096, 4096, 64, 20000)


def modprobe(*words: str) -> None:
    """Loads a module."""
    subprocess.run(["modprobe", *words], check=True)


def rmmod(*names: str) -> None:
    """Unloads modules; fails if this takes too long."""
    subprocess.run(["rmmod", *names], check=True, timeout=60)


def read(path: str = FILE) -> str:
    """Returns the whole file."""
    with open(path, encoding="ascii") as file:
        return file.read()


def rows(path: str = FILE) -> list[slabinfo.Row]:
    """Returns the rows of the file."""
    return slabinfo.table(read(path))


def taken() -> dict[str, tuple[int, int]]:
    """Returns for each site the size of its blocks, 0 if that varies, and the bytes that the live
    ones take.
    """
    header, *lines = read(SITES).splitlines()
    columns = [header.split().index(name) - 1 for name in ("unit", "live_allocated")]
    return {words[0]: (int(words[columns[0]]), int(words[columns[1]])) for words in map(str.split, lines)}


def hold(more: int = 0) -> list[slabinfo.Row]:
    """Makes every workload keep its blocks and `more` others; returns the rows with these numbers.
    """
    for name, kept, size in zip(WORKLOADS, KEPT, SIZES):
        with open(CONTROL, "w", encoding="ascii", buffering=1) as control:
            control.write(f"{name} count=1 size={size} keep={kept + more}\n")
    found = rows()
    assert {row.name: row.active for row in found} == {
        f"exercise_{name}": kept + more for name, kept in zip(WORKLOADS, KEPT)}, found
    return found
