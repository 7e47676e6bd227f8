# SPDX-License-Identifier: GPL-2.0-only
"""Programs that must not compile: each file of tests/compile_fail/ states its error."""

import re
import subprocess
from pathlib import Path

from kalloc_dev.core.paths import TREE
from kalloc_dev.modules.kbuild import BuildTree
from kalloc_dev.modules.kbuild_cmd import call_for
from kalloc_dev.toolchain.compilers import toolchain

CASES = TREE / "tests" / "compile_fail"


def compiled(tree: BuildTree, case: Path, scratch: Path) -> tuple[int, str]:
    """Compiles a case like a sample; returns the status and the compiler's output."""
    call = call_for(tree, "samples/kalloc_exercise")
    command: list[str | Path] = ["env", "-C", tree.out, *call.env, "RUSTC_BOOTSTRAP=1", "rustc", *call.flags,
               "--out-dir", scratch, "--emit=obj", case]
    done = subprocess.run(toolchain().argv(command, binds=[tree.path, tree.source, scratch]),
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False)
    return done.returncode, done.stdout


def complaint(tree: BuildTree, case: Path, scratch: Path) -> str:
    """Returns the difference between a case's result and its stated error, or an empty string."""
    status, said = compiled(tree, case, scratch)
    wanted = re.search(r"^//! error: (.+)$", case.read_text(), re.M)
    errors = "".join(line + "\n" for line in said.splitlines() if re.match(r"error|.*evaluat|.*panicked", line))
    right = status != 0 and wanted[1] in errors if wanted else status == 0
    return "" if right else f"wanted: {wanted[1] if wanted else 'no error'}\n{said}"
