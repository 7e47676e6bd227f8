# SPDX-License-Identifier: GPL-2.0-only
"""The compiler calls of the kernel's build system, for other calls with the same options."""

import re
import shlex
from dataclasses import dataclass

from kalloc_dev.core.paths import TREE
from kalloc_dev.modules.kbuild import BuildTree

# The flags with the outputs of that call.
OUTPUTS = re.compile(r"--emit=.*|--out-dir|\w+/")


@dataclass(frozen=True)
class Call:
    """A call of the compiler: its environment and its flags, without input and outputs."""

    env: list[str]
    flags: list[str]


def call_for(tree: BuildTree, crate: str) -> Call:
    """Returns the call that compiled `crate`, such as rust/kalloc, in this build tree."""
    directory, _, name = crate.rpartition("/")
    saved = (tree.out / directory / f".{name}.o.cmd").read_text().splitlines()[0].split(":=", 1)[1]
    words = shlex.split(saved)
    # The words after the source are other programs, which process the object.
    words = words[:words.index(str(TREE / f"{crate}.rs"))]
    env = [word for word in words if re.match(r"[A-Z_]+=", word)]
    flags = [word for word in words[len(env) + 1:] if not OUTPUTS.fullmatch(word)]
    return Call([*env, f"KALLOC_BINDINGS={tree.out}/rust/bindings_generated.rs"], flags)
