# SPDX-License-Identifier: GPL-2.0-only
"""The files for editors describe every crate and every C file of the modules as it is built."""

import json
import re
from collections.abc import Iterator

import pytest

from kalloc_dev.core.paths import TREE
from kalloc_dev.core.prepare import set_up
from kalloc_dev.modules import ide, kbuild


def commands(tree: kbuild.BuildTree) -> Iterator[str]:
    """Returns the errors in compile_commands.json."""
    path, = ide.compile_commands(tree)
    described = {entry["file"]: entry["command"] for entry in json.loads(path.read_text())}
    for source in sorted(path for top in ("rust", "bench") for path in (TREE / top).rglob("*.c")):
        # An included file is a part of another one, and a file of initcalls only of the kernel's own tree.
        if source.parent.name == "helpers" and source.stem != "helpers" or source.stem == "initcall":
            continue
        if f" {source}" not in described.get(str(source), ""):
            yield f"{source} is not described"


def linked() -> Iterator[str]:
    """Returns the errors in the projects for editors."""
    text = (TREE / ".vscode/settings.json").read_text()
    for name in json.loads(re.sub(r"^//.*", "", text))["rust-analyzer.linkedProjects"]:
        if not (TREE / name).is_file():
            yield f"{name} is not there"


@pytest.fixture(scope="module")
def tree() -> kbuild.BuildTree:
    """Returns the debug kernel's tree, which has every module."""
    debug, = set_up("debug")
    return kbuild.tree_of(debug)


def test_crates(tree: kbuild.BuildTree) -> None:
    """Every crate is described, with its files and dependencies."""
    project, = ide.rust_analyzer(tree)
    assert not list(ide.faults(json.loads(project.read_text())))


def test_c_files(tree: kbuild.BuildTree) -> None:
    """Every C file is described."""
    assert not list(commands(tree))


def test_linked_projects(tree: kbuild.BuildTree) -> None:
    """The projects in the editor's settings exist."""
    ide.rust_analyzer(tree)
    assert not list(linked())
