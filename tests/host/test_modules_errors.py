# SPDX-License-Identifier: GPL-2.0-only
"""An unsuitable build tree, or a kernel that lacks a symbol, causes one clear error line."""

import re
import subprocess
from pathlib import Path

import pytest

from kalloc_dev.core.paths import TREE
from kalloc_dev.kernel.build import kernel
from kalloc_dev.modules import kbuild
from rust_kbuild.console import Failure


def refuses(kdir: Path, says: str) -> None:
    """Checks that the last line of make modules KDIR=… contains this error."""
    done = subprocess.run(["make", "-s", "-C", TREE, "modules", f"KDIR={kdir}"], check=False,
                          capture_output=True, text=True)
    told = [line for line in done.stderr.splitlines() if not line.startswith("make")]
    assert done.returncode and len(told) == 1 and told[0].startswith("error: KDIR=") and says in told[0], \
        f"wanted '{says}': status {done.returncode}\n{done.stderr}"


@pytest.fixture(autouse=True)
def no_kdir(monkeypatch: pytest.MonkeyPatch) -> None:
    """The caller's KDIR has no effect."""
    monkeypatch.delenv("KDIR", raising=False)


def test_wrong_trees(tmp_path: Path) -> None:
    """Each step from nothing towards a suitable tree has its own error."""
    tree, good = tmp_path / "tree", kernel("stock").tree
    refuses(tree, "is not a directory")
    tree.mkdir()
    refuses(tree, "is not a kernel build tree")
    (tree / "include/config").mkdir(parents=True)
    (tree / "Makefile").touch()
    config = tree / "include/config/auto.conf"
    config.write_text("")
    release = tree / "include/config/kernel.release"
    release.write_text("6.1.0\n")
    refuses(tree, "6.13 is the oldest")
    release.write_text("7.3.4\n")
    refuses(tree, "CONFIG_RUST is not set")
    right = (good / "include/config/auto.conf").read_text()
    config.write_text(right)
    refuses(tree, "has no Rust metadata")
    (tree / "rust").mkdir()
    (tree / "rust/libkernel.rmeta").touch()
    config.write_text(re.sub("rustc 1[^ ]*", "rustc 1.99.0", right))
    refuses(tree, "was made by rustc 1.99.0")
    config.write_text(right)
    refuses(tree, "has no Module.symvers")


def test_missing_symbol(tmp_path: Path) -> None:
    """A kernel lacks a symbol that a module imports."""
    stock = kbuild.tree_of(kernel("stock"))
    built = kbuild.build(stock)
    kbuild.check_imports(stock, built)
    lines = (stock.path / "Module.symvers").read_text().splitlines(keepends=True)
    for wanted, cause in ((r"_RNv\S*printk\S*", "the compiler or the source differs"),
                          ("proc_create\\S*|remove_proc_entry", "does not export it")):
        lacking = kbuild.BuildTree("stock", tmp_path / cause.split()[0])
        (lacking.path / "include/config").mkdir(parents=True)
        (lacking.path / "include/config/kernel.release").write_text(stock.release)
        (lacking.path / "Module.symvers").write_text(
            "".join(line for line in lines if not re.fullmatch(wanted, line.split("\t")[1])))
        with pytest.raises(Failure, match=rf"^kalloc\w*\.ko needs ({wanted}), which Linux {re.escape(stock.release)} lacks: "
                                          rf".*{cause}.*$"):
            kbuild.check_imports(lacking, built)
