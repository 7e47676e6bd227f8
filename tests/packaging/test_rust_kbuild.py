# SPDX-License-Identifier: GPL-2.0-only
"""A third-party module, built in trees of rust-kbuild, loads in Debian's kernels of both flavors.

With --long, it also loads in a kernel that compares the checksums of symbols. With --every, the
project's own modules also load in the flavor that no other test uses; they are
compiled for it.
"""

import io
import re
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

import pytest

from kalloc_dev.core.paths import TREE
from kalloc_dev.core.prepare import set_up
from kalloc_dev.guest import kvm
from kalloc_dev.guest.qemu import Guest, boot
from kalloc_dev.kernel.build import RUST_KBUILD, Kernel, rust_tree
from kalloc_dev.modules import kbuild
from kalloc_dev.test import dmesg
from kalloc_dev.toolchain.compilers import toolchain
from rust_kbuild import symbols

# The messages of any out-of-tree module.
SAID = (r"^third_party: loading out-of-tree module taints kernel\.$",
        r"^third_party: module verification failed: signature and/or required key missing - tainting kernel$")
OURS = "modprobe kalloc_exercise && cat /proc/kallocinfo && rmmod kalloc_exercise kalloc || exit 10\n"
COMMAND = "insmod /third_party.ko count=4 && rmmod third_party || exit 11\n"


def third_party(kernel: Kernel, here: Path) -> Path:
    """Builds tests/modules/third_party as its author would, with only the directory of the tree."""
    directory = here / kernel.name
    shutil.copytree(TREE / "tests/modules/third_party", directory)
    # As a makefile for a kernel of Clang has it: the tree knows its own compiler.
    subprocess.run(toolchain().argv(["make", "-s", "-C", directory, f"KDIR={kernel.tree}", "LLVM=1"],
                                    binds=[kernel.tree, kernel.source, directory]), check=True)
    return directory / "third_party.ko"


def life(kernel: Kernel, module: Path, ours: bool) -> None:
    """Loads the module, and checks its message."""
    done = subprocess.run([RUST_KBUILD, "check", "--headers", kernel.tree, module], capture_output=True, text=True,
                          check=False)
    assert done.returncode == 0 and re.search(r"all of its \d+ imports, [1-9]\d* of them Rust's", done.stderr), done
    out = io.BytesIO()
    result = boot(Guest(kernel, (OURS if ours else "") + COMMAND, memory=512, timeout=900, add=[(module, "third_party.ko")],
                        kvm=kvm.usable(kernel), modules=kbuild.image(kernel) if ours else None), out)
    assert result.status == 0, f"the guest's status is {result.status}"
    assert not ours or b"\nexercise_kbox " in out.getvalue(), out.getvalue()
    log = result.log.read_text()
    assert "third_party: 4 numbers, sum 10\n" in log and "third_party: 4 numbers go\n" in log, f"{result.log} says nothing"
    found = dmesg.judge(result.log, SAID)
    assert not found, "\n".join(found)


@pytest.mark.parametrize("name", ["stock", "stock-amd64"])
def test_foreign_module(name: str, tmp_path: Path, request: pytest.FixtureRequest) -> None:
    """The module is built, checked, loaded and unloaded."""
    kernel, = set_up(name)
    # Outside of this tree, in which rust-analyzer would take it for one of the project's crates.
    life(kernel, third_party(kernel, tmp_path), ours=name != "stock" and request.config.getoption("--every"))


@pytest.mark.long
def test_modversions(tmp_path: Path) -> None:
    """Rust-kbuild makes the checksums of a kernel with CONFIG_MODVERSIONS, which its loader compares."""
    kernel, = set_up("modversions")
    tree = tmp_path / "tree"
    rust_tree(tree, kernel.tree / ".config", kernel.tree / "Module.symvers", f"{kernel.release}\n", kernel.source,
              toolchain(), tmp_path / "log")
    made = replace(kernel, tree=tree)
    module = third_party(made, tmp_path)
    sums = symbols.Module(module).checksums
    there = symbols.exported(kernel.tree / "Module.symvers")
    rust = [name for name in sums if name.startswith("_R")]
    assert rust and all(sums[name] == there[name] != 0 for name in rust), sums
    life(made, module, ours=False)
