# SPDX-License-Identifier: GPL-2.0-only
"""An external driver: its build in a directory of its own, with kalloc's metadata."""

from pathlib import Path

from kalloc_dev.core.paths import LOGS
from kalloc_dev.kernel.build import JOBS
from kalloc_dev.modules.kbuild import BuildTree, build, check_imports
from kalloc_dev.toolchain.compilers import toolchain
from rust_kbuild.console import Failure, run, step


def build_driver(tree: BuildTree, directory: Path) -> list[Path]:
    """Builds the modules of the Kbuild in `directory`, which finds kalloc under KALLOC."""
    if not (directory / "Kbuild").exists() and not (directory / "Makefile").exists():
        raise Failure(f"M={directory} is not a driver's directory: it has no Kbuild")
    build(tree)
    symbols = tree.out / "Module.symvers"
    with step(f"building {directory.name} for {tree.release}", LOGS / "driver.log") as log:
        run(toolchain().argv(["make", "-C", tree.path, f"M={directory}", f"KALLOC={tree.out}",
                              f"KBUILD_EXTRA_SYMBOLS={symbols}", *tree.compiler, JOBS, "modules"],
                             binds=[tree.path, tree.source, _top(directory)]), log, "make")
    modules = [directory / Path(name).with_suffix(".ko") for name in (directory / "modules.order").read_text().split()]
    check_imports(tree, modules)
    return modules


def _top(directory: Path) -> Path:
    """Returns the highest parent that the root directory of the tools lacks: a driver may use files above its own."""
    if not (root := toolchain().root):
        return directory
    return next((path for path in reversed(directory.parents) if not (root / str(path).lstrip("/")).exists()), directory)
