# SPDX-License-Identifier: GPL-2.0-only
"""An external driver: its build in a directory of its own, with kalloc's metadata."""

import json
import os
import re
from collections.abc import Iterator
from pathlib import Path

from kalloc_dev.core.paths import LOGS, TREE
from kalloc_dev.kernel.build import JOBS
from kalloc_dev.modules import ide
from kalloc_dev.modules.kbuild import BuildTree, build, check_imports
from kalloc_dev.toolchain.compilers import toolchain
from rust_kbuild.console import Failure, run, say, step

# Variables of the kernel's make, which accepts them on its command line only.
PASSED = ("CLIPPY", "V", "W")
# A warning or an error of rustc or clippy with its explanation, of a C compiler, or of modpost.
COMPLAINT = re.compile(r"^(?:warning|error)(?:\[\w+\])?: (?!\d+ warnings? emitted|aborting).*\n(?:.+\n)*|"
                       r"^\S+:\d+:(?:\d+:)? (?:warning|error): .*\n(?: .*\n)*|^(?:WARNING|ERROR): modpost: .*\n", re.M)


def build_driver(tree: BuildTree, directory: Path) -> list[Path]:
    """Builds the modules of the Kbuild in `directory`, which finds kalloc under KALLOC; prints the complaints."""
    _demand(directory)
    build(tree)
    with step(f"building {directory.name} for {tree.release}", LOGS / "driver.log") as log:
        try:
            _make(tree, directory, log, "modules")
        finally:
            for complaint in COMPLAINT.findall(log.read_text(errors="replace")):
                say(complaint.rstrip("\n"))
    modules = [directory / Path(name).with_suffix(".ko") for name in (directory / "modules.order").read_text().split()]
    check_imports(tree, modules)
    return modules


def clean_driver(tree: BuildTree, directory: Path) -> list[Path]:
    """Removes what the build has made in `directory`. kalloc stays built."""
    _demand(directory)
    with step(f"cleaning {directory.name}", LOGS / "driver.log") as log:
        _make(tree, directory, log, "clean")
    (directory / ide.PROJECT.name).unlink(missing_ok=True)
    return []


def analyze_driver(tree: BuildTree, directory: Path) -> list[Path]:
    """Makes rust-project.json in `directory`, with the crates of the kernel and kalloc."""
    _demand(directory)
    build(tree)
    made = directory / ide.PROJECT.name
    with step(f"describing {directory.name} for rust-analyzer", LOGS / "driver.log") as log:
        _make(tree, directory, log, "rust-analyzer")
    project = ide.project(made.read_text())
    crates = project["crates"]
    # The kernel's generator has relative paths for subdirectories.
    for crate in crates:
        crate["root_module"] = str(directory / crate["root_module"])
    drivers = [crate for crate in crates if Path(crate["root_module"]).is_relative_to(directory)]
    crates.append(ide.described(TREE / "rust" / f"{ide.OURS}.rs", tree, crates))
    for crate in drivers:
        crate["deps"].append({"crate": len(crates) - 1, "name": ide.OURS})
    made.write_text(json.dumps(project, indent=1))
    return [made]


def _demand(directory: Path) -> None:
    if not (directory / "Kbuild").exists() and not (directory / "Makefile").exists():
        raise Failure(f"M={directory} is not a driver's directory: it has no Kbuild")


def _make(tree: BuildTree, directory: Path, log: Path, target: str) -> None:
    words: list[str | Path] = ["make", "-C", tree.path, f"M={directory}", f"ARCH={tree.arch.name}", f"KALLOC={tree.out}",
             f"KBUILD_EXTRA_SYMBOLS={tree.out / 'Module.symvers'}", *tree.compiler, *_variables(), JOBS, target]
    run(toolchain().argv(words, binds=[tree.path, tree.source, _top(directory)]), log, "make")


def _variables() -> Iterator[str]:
    yield from (f"{name}={value}" for name in PASSED if (value := os.environ.get(name)))


def _top(directory: Path) -> Path:
    """Returns the highest parent that the root directory of the tools lacks: a driver may use files above its own."""
    if not (root := toolchain().root):
        return directory
    return next((path for path in reversed(directory.parents) if not (root / str(path).lstrip("/")).exists()), directory)
