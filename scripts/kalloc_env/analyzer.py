# SPDX-License-Identifier: GPL-2.0
"""rust-project.json, which tells an editor's rust-analyzer what the crates are.

The kernel's own generator describes the kernel's crates. It finds those of an external module
by a Kbuild next to each, which a tree with one Kbuild does not have: they are added here.
"""

import json
from pathlib import Path
from typing import Any

from .modules import BuildTree, build
from .paths import LOGS, TREE
from .say import step
from .toolchain import toolchain

OURS = "kalloc"
USES = ("core", "kernel", "pin_init", "zerocopy", "zerocopy_derive")


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
    crates: list[dict[str, Any]] = project["crates"]
    for source in sorted(_roots(tree), key=lambda path: path.stem != OURS):
        crates.append(_described(source, tree, crates))
    made = TREE / "rust-project.json"
    made.write_text(json.dumps(project, indent=1))
    return [made]


def _roots(tree: BuildTree) -> list[Path]:
    """The sources that are crates of their own: the build made an object of each."""
    objects = (path.relative_to(tree.out) for path in tree.out.rglob("*.o"))
    return [source for path in objects if (source := (TREE / path).with_suffix(".rs")).exists()]


def _described(source: Path, tree: BuildTree, crates: list[dict[str, Any]]) -> dict[str, Any]:
    numbers = {crate["display_name"]: number for number, crate in enumerate(crates)}
    kernel = crates[numbers["kernel"]]
    return kernel | {
        "display_name": source.stem,
        "root_module": str(source),
        "deps": [{"crate": numbers[name], "name": name} for name in (*USES, OURS) if name in numbers],
        "env": kernel["env"] | {"KALLOC_BINDINGS": str(tree.out / "rust/bindings_generated.rs")},
        "source": {"include_dirs": [str(source.parent), str(tree.out)], "exclude_dirs": []},
    }
