# SPDX-License-Identifier: GPL-2.0
"""A driver in a folder of its own, built with what it uses of kalloc."""

from pathlib import Path

from kalloc_dev.core.paths import LOGS
from kalloc_dev.kernel.build import JOBS
from kalloc_dev.modules.kbuild import BuildTree, build, check_imports
from kalloc_dev.toolchain.compilers import toolchain
from rust_kbuild.console import Failure, run, step


def build_driver(tree: BuildTree, folder: Path) -> list[Path]:
    """Builds the modules that the Kbuild in `folder` names; it finds kalloc's metadata under KALLOC."""
    if not (folder / "Kbuild").exists() and not (folder / "Makefile").exists():
        raise Failure(f"M={folder} is not a driver's folder: it has no Kbuild")
    build(tree)
    symbols = tree.out / "Module.symvers"
    with step(f"building {folder.name} for {tree.release}", LOGS / "driver.log") as log:
        run(toolchain().argv(["make", "-C", tree.path, f"M={folder}", f"KALLOC={tree.out}",
                              f"KBUILD_EXTRA_SYMBOLS={symbols}", *tree.compiler, JOBS, "modules"],
                             binds=[tree.path, tree.source, folder]), log, "make")
    modules = [folder / Path(name).with_suffix(".ko").name for name in (folder / "modules.order").read_text().split()]
    check_imports(tree, modules)
    return modules
