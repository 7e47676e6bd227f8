# SPDX-License-Identifier: GPL-2.0-only
"""Descriptions of the compilation for the language servers of editors.

rust-project.json is for rust-analyzer. The kernel's generator describes the kernel's crates. It
finds the crates of an external module by a Kbuild next to each, but this tree has only one Kbuild:
its crates are added here. compile_commands.json is for clangd; the kernel's script writes it.
"""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from kalloc_dev.core.paths import LOGS, TREE
from kalloc_dev.modules.kbuild import BuildTree, build
from kalloc_dev.modules.kbuild_cmd import INCLUDED
from kalloc_dev.toolchain.compilers import toolchain
from rust_kbuild.console import run, step

OURS = "kalloc"
# Crates that others depend on, in the order of their dependencies.
SHARED = (OURS, "kalloc_owner")
USES = ("core", "kernel", "pin_init", "zerocopy", "zerocopy_derive")
PROJECT, COMMANDS = TREE / "rust-project.json", TREE / "compile_commands.json"
# The directories of crates, and the pattern of the first line of each crate.
DIRECTORIES = ("rust", "samples", "bench", "tests")
ROOT = re.compile(r"^(?:kalloc::)?module\w*! ?\{", re.M)

Crate = dict[str, Any]


def rust_analyzer(tree: BuildTree) -> list[Path]:
    """Makes rust-project.json in this tree."""
    build(tree)
    with step("describing the crates for rust-analyzer", LOGS / "rust-analyzer.log") as log:
        tree.make(toolchain(), log, "rust-analyzer")
    made = project((tree.out / "rust-project.json").read_text())
    # The generator also finds drivers in this tree, without kalloc. They are last: the numbers of the others stay.
    made["crates"] = [crate for crate in made["crates"] if not Path(crate["root_module"]).is_relative_to(TREE)]
    for source in roots():
        made["crates"].append(described(source, tree, made["crates"]))
    PROJECT.write_text(json.dumps(made, indent=1))
    return [PROJECT]


def project(text: str) -> dict[str, Any]:
    """Returns the kernel's description, with the path of the standard library's source on the host."""
    if root := toolchain().root:
        text = text.replace('"/usr', f'"{root}/usr')
    made: dict[str, Any] = json.loads(text)
    return made


def compile_commands(tree: BuildTree) -> list[Path]:
    """Makes compile_commands.json in this tree, from the calls of the kernel's build system."""
    build(tree)
    with step("describing the C files for clangd", LOGS / "compile-commands.log") as log:
        script = tree.source / "scripts/clang-tools/gen_compile_commands.py"
        run(toolchain().argv(["python3", script, "-d", tree.path, "-o", COMMANDS, tree.out],
                             binds=[tree.path, tree.source]), log, script.name)
    return [COMMANDS]


def roots() -> list[Path]:
    """Returns the roots of crates, which declare modules; dependencies first."""
    found = (path for top in DIRECTORIES for path in sorted((TREE / top).rglob("*.rs")) if ROOT.search(path.read_text()))
    return sorted(found, key=lambda path: SHARED.index(path.stem) if path.stem in SHARED else len(SHARED))


def faults(project: dict[str, Any]) -> Iterator[str]:
    """Names the faults that would confuse rust-analyzer: missing files, and mismatched crates."""
    crates: list[Crate] = project["crates"]
    described = {crate["root_module"] for crate in crates}
    yield from (f"{path} is not described" for path in roots() if str(path) not in described)
    if not Path(project["sysroot"]).is_dir():
        yield f"the sysroot {project['sysroot']} is not there"
    for crate in crates:
        name, root = crate["display_name"], Path(crate["root_module"])
        if not root.is_file():
            yield f"{name}: its root {root} is not there"
            continue
        for dep in crate["deps"]:
            if crates[dep["crate"]]["display_name"] != dep["name"]:
                yield f"{name}: {dep['name']} is {crates[dep['crate']]['display_name']}"
        if root.is_relative_to(TREE):
            known = {dep["name"] for dep in crate["deps"]}
            yield from (f"{name}: it uses {used}, which it does not depend on" for used in sorted(_used(root) - known))
            yield from (f"{name}: {variable} names no file" for variable in _wanted(root)
                        if not Path(crate["env"].get(variable, "/nowhere")).is_file())


def _used(root: Path) -> set[str]:
    """Returns the crates that a crate of this tree names."""
    text = re.sub(r"//.*", "", root.read_text())
    return set(re.findall(r"\b(kernel|kalloc|kalloc_owner|pin_init|zerocopy)::", text)) - {root.stem}


def _wanted(root: Path) -> set[str]:
    """Returns the variables with the paths of a crate's included files.

    The file of many sites is not among them, because it is not always built.
    """
    inside = [root, *root.parent.rglob("*.rs")] if root.stem == OURS else [root]
    return {name for path in inside for name in re.findall(r'include!\(env!\("(\w+)"', path.read_text())} - {"KALLOC_MANY_SITES"}


def described(source: Path, tree: BuildTree, crates: list[Crate]) -> Crate:
    """Returns the description of a crate of this tree, whose dependencies are in `crates`."""
    numbers = {crate["display_name"]: number for number, crate in enumerate(crates)}
    kernel = crates[numbers["kernel"]]
    return kernel | {
        "display_name": source.stem,
        "root_module": str(source),
        "deps": [{"crate": numbers[name], "name": name} for name in (*USES, OURS, *(_used(source) & set(SHARED[1:])))
                 if name in numbers],
        "env": kernel["env"] | {name: str(tree.out / path) for name, path in INCLUDED.items()},
        "source": {"include_dirs": [str(source.parent), str(tree.out)], "exclude_dirs": []},
    }
