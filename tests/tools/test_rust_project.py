# SPDX-License-Identifier: GPL-2.0
"""What editors are given: every crate and every file in C of the modules is described, as it is built."""

import json
import re
from collections.abc import Iterator

import pytest

from kalloc_dev.core.paths import TREE
from kalloc_dev.core.prepare import set_up
from kalloc_dev.modules import ide, kbuild


def commands(tree: kbuild.BuildTree) -> Iterator[str]:
    """What is wrong with compile_commands.json."""
    path, = ide.compile_commands(tree)
    described = {entry["file"]: entry["command"] for entry in json.loads(path.read_text())}
    for source in sorted(path for top in ("rust", "bench") for path in (TREE / top).rglob("*.c")):
        # What is included is part of another file.
        if source.parent.name == "helpers" and source.stem != "helpers":
            continue
        if f" {source}" not in described.get(str(source), ""):
            yield f"{source} is not described"


def linked() -> Iterator[str]:
    """What is wrong with the projects that editors are told of."""
    text = (TREE / ".vscode/settings.json").read_text()
    for name in json.loads(re.sub(r"^//.*", "", text))["rust-analyzer.linkedProjects"]:
        if not (TREE / name).is_file():
            yield f"{name} is not there"


@pytest.fixture(scope="module")
def tree() -> kbuild.BuildTree:
    """The debug kernel's tree, which has every module."""
    debug, = set_up("debug")
    return kbuild.tree_of(debug)


def test_crates(tree: kbuild.BuildTree) -> None:
    """Every crate is described, with its files and dependencies."""
    project, = ide.rust_analyzer(tree)
    assert not list(ide.faults(json.loads(project.read_text())))


def test_c_files(tree: kbuild.BuildTree) -> None:
    """Every file in C is described."""
    assert not list(commands(tree))


def test_linked_projects(tree: kbuild.BuildTree) -> None:
    """The projects that the editor's settings name exist."""
    ide.rust_analyzer(tree)
    assert not list(linked())
