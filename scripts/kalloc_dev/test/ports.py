# SPDX-License-Identifier: GPL-2.0-only
"""Upstream's drivers, converted to kalloc: what kalloc counts of their allocations, against a trace of the kernel.

The kernel's source has the drivers. tests/ports/NAME/ has the changes, as commands for sed: those
that a module outside of the kernel's tree needs (`adapt`), and those of the conversion (`convert`).
"""

import difflib
import json
import shutil
import subprocess
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from kalloc_dev.core.paths import BUILD, TREE
from kalloc_dev.core.prepare import set_up
from kalloc_dev.modules import kbuild
from kalloc_dev.modules.external_driver import build_driver
from kalloc_dev.modules.user_programs import compiled
from kalloc_dev.test import kmem_trace
from kalloc_dev.test.result import Case
from kalloc_dev.test.session import Session, in_guest

HERE = TREE / "tests" / "ports"
PROGRAM = "binder_transactions"
# The line in a port's Kbuild after which the lines of the conversion follow.
CONVERTED = "# CONVERTED\n"
# The bounds of the issue: percent of the allocations that are counted, and changed lines.
BOUNDS = {"rust_binder": (95.0, 40), "rnull_mod": (95.0, 12)}
# The drivers that are not unloaded, after which no block may be live.
FREED = ("rust_binder",)
# The file of the sites that link-time counting creates.
LINKED = "rust/accounting/site.rs"


@dataclass(frozen=True)
class Port:
    """Drivers of one directory of the kernel's source."""

    name: str
    source: str
    # The prefix of the names of files that is removed, so that a module can have the name.
    prefix: str = ""


PORTS = (
    Port("rust_binder", "drivers/android/binder"),
    Port("rnull_mod", "drivers/block/rnull"),
    Port("samples", "samples/rust", "rust_"),
    Port("configfs", "fs/configfs"),
)

# Messages of the drivers.
SAID = (
    r"^\w+: loading out-of-tree module taints kernel\.$",
    r"^rust_binder: .*death notification already set$",
    r"^workqueue: work func .*\[rust_binder\] enqueued on deprecated workqueue",
    r"^rust_(misc_device|minimal|configfs|driver_\w+|debugfs\w*): ",
)


@dataclass
class Count:
    """Numbers of allocations, and their bytes, each rounded up to a power of two."""

    calls: int = 0
    size: int = 0

    def add(self, calls: int, size: int) -> None:
        """Adds some allocations."""
        self.calls += calls
        self.size += size


def ports() -> Iterator[Case]:
    """Builds the drivers, runs them in a guest, and yields a case for each."""
    tree = kbuild.tree_of(set_up("stock")[0])
    changed: dict[str, int] = {}
    adds: list[str | Path] = []
    for port in PORTS:
        directory = BUILD / "ports" / port.name
        changed[port.name] = prepare(port, tree.source, directory)
        for module in build_driver(tree, directory):
            adds += ["--add", module]
    adds += ["--add", f"{compiled(PROGRAM)}:/usr/bin/", "--device", "pci-testdev"]
    session = in_guest((HERE / "guest.sh").read_text(), "--timeout", "600", *adds)
    (BUILD / "ports" / "shown").write_text(session.stdout)
    for name in (name for name in session.sections() if name.startswith("sites ")):
        yield judged(session, name.partition(" ")[2], changed)
    session.check_log(SAID)


def prepare(port: Port, source: Path, directory: Path) -> int:
    """Writes the converted driver; returns the number of lines that the conversion changes."""
    shutil.rmtree(directory, ignore_errors=True)
    shutil.copytree(source / port.source, directory, ignore=shutil.ignore_patterns("Kbuild", "Makefile", "hostprogs"))
    if port.prefix:
        for path in directory.glob(f"{port.prefix}*.rs"):
            path.rename(path.with_name(path.name.removeprefix(port.prefix)))
    for path in (HERE / port.name).glob("*.rs"):
        shutil.copy(path, directory)
    edit(directory, HERE / port.name / "adapt")
    before = {path: path.read_text() for path in directory.rglob("*.rs")}
    edit(directory, HERE / port.name / "convert")
    text = (HERE / port.name / "Kbuild").read_text()
    (directory / "Kbuild").write_text(text)
    lines = len(text.partition(CONVERTED)[2].splitlines())
    return lines + sum(changed_lines(text, path.read_text()) for path, text in before.items())


def edit(directory: Path, script: Path) -> None:
    """Applies a file of sections `== FILES` with commands for sed; each command must change something."""
    if not script.exists():
        return
    files: list[Path] = []
    for line in script.read_text().splitlines():
        if line.startswith("== "):
            files = sorted(directory.rglob(line.removeprefix("== ")))
        elif not line.startswith("#"):
            before = [path.read_text() for path in files]
            subprocess.run(["sed", "-i", "-E", line, *files], check=True)
            assert before != [path.read_text() for path in files], f"{script}: without an effect: {line}"


def changed_lines(before: str, after: str) -> int:
    """Returns the number of lines that are added, replaced or removed."""
    matcher = difflib.SequenceMatcher(None, before.splitlines(), after.splitlines(), autojunk=False)
    return sum(max(i2 - i1, j2 - j1) for kind, i1, i2, j1, j2 in matcher.get_opcodes() if kind != "equal")


def judged(session: Session, name: str, changed: dict[str, int]) -> Case:
    """Compares what was counted for a driver with what was traced."""
    sections = session.sections()
    sites = [site for site in map(json.loads, sections[f"sites {name}"].splitlines()) if site["module"] == name]
    linked = total(site for site in sites if site["file"] == LINKED)
    typed = total(site for site in sites if site["file"] != LINKED)
    traced = trace(sections, name)
    calls, size = linked.calls + typed.calls, linked.size + typed.size
    percent = 100 * calls / traced.calls if traced.calls else 100.0
    lines = changed.get(name, 0)
    line = (f"{name}: counted {calls} of {traced.calls} allocations ({percent:.1f} %), {size} of {traced.size} bytes; "
            f"lines changed {lines}; by types {typed.calls}, at link time {linked.calls}")
    least, most = BOUNDS.get(name, (0.0, 1000))
    # Other drivers keep blocks until they are unloaded, and the kernel log would have their leaks.
    problems = [f"    {site['name']} has {site['live']} live blocks\n" for site in sites if site["live"] and name in FREED]
    if percent < least or 100 * size < least * traced.size:
        problems.append(f"    less than {least:g} % are counted\n")
    if lines > most:
        problems.append(f"    more than {most} lines are changed\n")
    return Case(line, "failed" if problems else "passed", "".join(problems))


def total(sites: Iterable[dict[str, Any]]) -> Count:
    """Adds up the allocations of some sites."""
    count = Count()
    for site in sites:
        rest = site["allocs"] - sum(sizes["allocs"] for sizes in site["sizes"])
        for sizes in [*site["sizes"], {"allocs": rest, "up_to": site["unit"]}]:
            count.add(sizes["allocs"], sizes["allocs"] * rounded(sizes["up_to"]))
    return count


def rounded(size: int) -> int:
    """Returns the power of two that holds a size: kalloc shows the numbers of blocks by these."""
    return max(8, 1 << (size - 1).bit_length()) if size else 0


def trace(sections: dict[str, str], name: str) -> Count:
    """Adds up the traced allocations of a driver."""
    count = Count()
    for event in kmem_trace.BETWEEN:
        for one in kmem_trace.traced(event, sections[f"{event} {name}"], name):
            count.add(one.calls, one.calls * rounded(one.size))
    return count
