# SPDX-License-Identifier: GPL-2.0-only
"""The compiler calls of the kernel's build system, for other calls with the same options."""

import re
import shlex
from dataclasses import dataclass
from pathlib import Path

from kalloc_dev.core.paths import TREE
from kalloc_dev.modules.kbuild import BuildTree

# The flags with the outputs of that call.
OUTPUTS = re.compile(r"--emit=.*|--out-dir|(\w+/)+")

# The files that crates include, by the variable in which Kbuild passes the path.
INCLUDED = {
    "KALLOC_BINDINGS": "rust/bindings_generated.rs",
    "KALLOC_DOCTESTS": "tests/doctests/examples.rs",
    "KALLOC_MANY_SITES": "tests/modules/many_sites/sites.rs",
    "KALLOC_FAULT_INJECTION": "tests/modules/fault_injection/cases.rs",
}


@dataclass(frozen=True)
class Call:
    """A call of the compiler: its environment and its flags, without input and outputs."""

    env: list[str]
    flags: list[str]


def call_for(tree: BuildTree, crate: str) -> Call:
    """Returns the call that compiled `crate`, such as rust/kalloc, in this build tree."""
    saved = _saved(tree, crate).splitlines()[0].split(":=", 1)[1]
    words = shlex.split(saved)
    # The words after the source are other programs, which process the object.
    words = words[:words.index(str(TREE / f"{crate}.rs"))]
    env = [word for word in words if re.match(r"[A-Z_]+=", word)]
    flags = [word for word in words[len(env) + 1:] if not OUTPUTS.fullmatch(word)]
    return Call([*env, *(f"{name}={tree.out / path}" for name, path in INCLUDED.items())], flags)


def inputs_of(tree: BuildTree, crate: str) -> list[Path]:
    """Returns all files that the compiler read for `crate`: sources, generated files, and other crates."""
    found = re.search(r"^deps_\S+ := \\\n((?: .*\n)*)", _saved(tree, crate), re.M)
    names = [line.rstrip("\\").strip() for line in found[1].splitlines()] if found else []
    # An option of the configuration is a $(wildcard …), and part of the call.
    return [TREE / f"{crate}.rs", *(tree.out / name for name in names if name and not name.startswith("$("))]


def is_built(tree: BuildTree, crate: str) -> bool:
    """Returns whether this build tree has compiled `crate`."""
    return _command(tree, crate).exists()


def _saved(tree: BuildTree, crate: str) -> str:
    return _command(tree, crate).read_text()


def _command(tree: BuildTree, crate: str) -> Path:
    directory, _, name = crate.rpartition("/")
    return tree.out / directory / f".{name}.o.cmd"
