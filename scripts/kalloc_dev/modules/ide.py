# SPDX-License-Identifier: GPL-2.0
"""What tells an editor's language servers how this tree is compiled.

rust-project.json is rust-analyzer's. The kernel's own generator describes the kernel's crates. It finds those
of an external module by a Kbuild next to each, which a tree with one Kbuild does not have: they are added
here. compile_commands.json is clangd's, and is the kernel's own script's work.
"""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from kalloc_dev.core.paths import LOGS, TREE
from kalloc_dev.modules.kbuild import BuildTree, build
from kalloc_dev.toolchain.compilers import toolchain
from rust_kbuild.console import run, step

OURS = "kalloc"
# Crates that others depend on, the first ones first.
SHARED = (OURS, "kalloc_owner")
USES = ("core", "kernel", "pin_init", "zerocopy", "zerocopy_derive")
PROJECT, COMMANDS = TREE / "rust-project.json", TREE / "compile_commands.json"
# Where crates are; the first line of each has this.
FOLDERS = ("rust", "samples", "bench", "tests")
ROOT = re.compile(r"^module! ?\{", re.M)
# What Kbuild has crates include, by the variable that names it.
INCLUDED = {
    "KALLOC_BINDINGS": "rust/bindings_generated.rs",
    "KALLOC_DOCTESTS": "tests/doctests/examples.rs",
    "KALLOC_MANY_SITES": "tests/modules/many_sites/sites.rs",
    "KALLOC_FAULT_INJECTION": "tests/modules/fault_injection/cases.rs",
}

Crate = dict[str, Any]


def rust_analyzer(tree: BuildTree) -> list[Path]:
    """Makes rust-project.json in our tree."""
    build(tree)
    with step("describing the crates for rust-analyzer", LOGS / "rust-analyzer.log") as log:
        tree.make(toolchain(), log, "rust-analyzer")
    text = (tree.out / "rust-project.json").read_text()
    if root := toolchain().root:
        # The standard library's source, where the host finds it.
        text = text.replace('"/usr', f'"{root}/usr')
    project = json.loads(text)
    for source in roots():
        project["crates"].append(_described(source, tree, project["crates"]))
    PROJECT.write_text(json.dumps(project, indent=1))
    return [PROJECT]


def compile_commands(tree: BuildTree) -> list[Path]:
    """Makes compile_commands.json in our tree, of what the kernel's build system has called."""
    build(tree)
    with step("describing the C files for clangd", LOGS / "compile-commands.log") as log:
        script = tree.source / "scripts/clang-tools/gen_compile_commands.py"
        run(toolchain().argv(["python3", script, "-d", tree.path, "-o", COMMANDS, tree.out],
                             binds=[tree.path, tree.source]), log, script.name)
    return [COMMANDS]


def roots() -> list[Path]:
    """The sources that are crates of their own, which is what declares a module; those first that others depend on."""
    found = (path for top in FOLDERS for path in sorted((TREE / top).rglob("*.rs")) if ROOT.search(path.read_text()))
    return sorted(found, key=lambda path: SHARED.index(path.stem) if path.stem in SHARED else len(SHARED))


def faults(project: dict[str, Any]) -> Iterator[str]:
    """What would keep rust-analyzer from finding its way: files that are not there, crates that do not fit."""
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
    """The crates that a crate of ours names."""
    text = re.sub(r"//.*", "", root.read_text())
    return set(re.findall(r"\b(kernel|kalloc|kalloc_owner|pin_init|zerocopy)::", text)) - {root.stem}


def _wanted(root: Path) -> set[str]:
    """The variables by which a crate finds what it includes; the one of many sites is not always built."""
    inside = [root, *root.parent.rglob("*.rs")] if root.stem == OURS else [root]
    return {name for path in inside for name in re.findall(r'include!\(env!\("(\w+)"', path.read_text())} - {"KALLOC_MANY_SITES"}


def _described(source: Path, tree: BuildTree, crates: list[Crate]) -> Crate:
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
