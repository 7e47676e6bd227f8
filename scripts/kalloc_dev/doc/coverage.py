# SPDX-License-Identifier: GPL-2.0-only
"""The allocating calls in the kernel's drivers, and the part of them that types of kalloc replace."""

import argparse
import re
import subprocess
import tomllib
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from kalloc_dev.core.paths import TREE
from kalloc_dev.kernel.debian import debian
from rust_kbuild.console import Failure

DATA = TREE / "Documentation/reference/c-calls.toml"
# The directories with drivers.
DRIVERS = ("drivers", "sound")


@dataclass(frozen=True)
class Calls:
    """Calls of C that the same types of kalloc replace."""

    functions: list[str]
    by: tuple[str, ...] = ()
    note: str = ""


def listed() -> list[Calls]:
    """Returns the rows of the table of calls."""
    return [Calls(row["functions"], tuple(row.get("by", ())), row.get("note", ""))
            for row in tomllib.loads(DATA.read_text())["calls"]]


def count(source: Path, directories: Iterable[str], functions: Iterable[str]) -> Counter[str]:
    """Counts the calls of each function in the C files of some directories.

    Calls in comments count as well.
    """
    pattern = rf"\b({'|'.join(sorted(functions))})\("
    done = subprocess.run(["grep", "-rhoE", "--include=*.c", "--include=*.h", pattern, *directories],
                          cwd=source, capture_output=True, text=True, check=False)
    if done.returncode > 1 or done.stderr:
        raise Failure(f"{source} cannot be read: {done.stderr.splitlines()[0]}")
    return Counter(line[:-1] for line in done.stdout.splitlines())


def unknown(rows: Iterable[Calls], crate: str) -> Iterator[str]:
    """Names the types of the table that the crate does not have."""
    there = set(re.findall(r"\bpub (?:struct|trait|type|macro) (\w+)|macro_rules! (\w+)", crate))
    names = {name for pair in there for name in pair if name}
    yield from sorted({name for row in rows for name in row.by} - names)


def arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the arguments of the command."""
    parser.add_argument("--source", type=Path, metavar="DIR", help="the kernel's source (default: that of the stock kernel)")
    parser.add_argument("directories", nargs="*", default=DRIVERS, metavar="DIRECTORY",
                        help=f"directories of it (default: {' '.join(DRIVERS)})")


def main(options: argparse.Namespace) -> int:
    """Prints the numbers of calls, by row, and the part that has a replacement."""
    source = options.source or debian() / "linux"
    if missing := [name for name in options.directories if not (source / name).is_dir()]:
        raise Failure(f"{source} has no directory {missing[0]}", status=2)
    rows = listed()
    found = count(source, options.directories, (name for row in rows for name in row.functions))
    numbers = [sum(found[name] for name in row.functions) for row in rows]
    for row, number in sorted(zip(rows, numbers), key=lambda pair: -pair[1]):
        print(f"{number:7}  {', '.join(row.by) or '-':42}  {row.functions[0]}{', …' if row.functions[1:] else ''}")
    covered, total = sum(number for row, number in zip(rows, numbers) if row.by), sum(numbers)
    print(f"call sites covered: {covered} of {total} ({100 * covered / max(total, 1):.1f} %)")
    return 0
