# SPDX-License-Identifier: GPL-2.0-only
"""The commands for the author of a driver: build, warnings, lints, a description for editors, and cleaning."""

import json
import os
import shutil
import subprocess
from pathlib import Path

import pytest

from kalloc_dev.core.paths import TREE
from kalloc_dev.core.prepare import set_up
from kalloc_dev.modules import kbuild

# A function with a warning of rustc, and one of clippy.
CAUSES = "\n#[allow(dead_code)]\nfn causes() -> u64 {\n    let unused = 1;\n    return number::NUMBER;\n}\n"


@pytest.fixture
def author(tmp_path: Path) -> Path:
    """A directory with a driver in a subdirectory, which uses a file beside the directory."""
    directory = tmp_path / "driver"
    shutil.copytree(TREE / "tests/drivers/below", directory / "below")
    (directory / "Kbuild").write_text("# SPDX-License-Identifier: GPL-2.0-only\nobj-m := below/\n")
    shutil.copytree(TREE / "tests/shared", tmp_path / "shared")
    return directory


def make(directory: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """Runs make in kalloc's tree for a driver."""
    env = {name: value for name, value in os.environ.items() if name not in ("KDIR", "KERNEL", "M")}
    return subprocess.run(["make", "-s", "-C", TREE, *words, f"M={directory}"], capture_output=True, text=True, check=False,
                          env=env)


def files(directory: Path) -> list[str]:
    """Returns the files in a directory."""
    return sorted(str(path.relative_to(directory)) for path in directory.rglob("*") if path.is_file())


def test_life(author: Path) -> None:
    """The warnings appear on the terminal, CLIPPY=1 adds those of clippy, and cleaning leaves kalloc alone."""
    sources = files(author)
    tree = kbuild.tree_of(set_up("stock")[0])
    done = make(author, "modules", "KERNEL=stock")
    assert done.returncode == 0 and "warning" not in done.stderr, done.stderr
    assert (author / "below/below.ko").is_file()
    stamp = (tree.out / ".built").stat().st_mtime_ns

    with (author / "below/below.rs").open("a") as driver:
        driver.write(CAUSES)
    done = make(author, "modules")
    assert done.returncode == 0, done.stderr
    assert "warning: unused variable: `unused`" in done.stderr and "below/below.rs:" in done.stderr, done.stderr
    assert "unneeded `return`" not in done.stderr
    done = make(author, "modules", "CLIPPY=1")
    assert done.returncode == 0 and "warning: unneeded `return` statement" in done.stderr, done.stderr

    done = make(author, "clean")
    assert done.returncode == 0 and files(author) == sources, files(author)
    assert (tree.out / ".built").stat().st_mtime_ns == stamp


def test_error(author: Path) -> None:
    """An error of the compiler is on the terminal, too."""
    with (author / "below/below.rs").open("a") as driver:
        driver.write("\nfn broken() -> u64 {\n    \"text\"\n}\n")
    done = make(author, "modules")
    assert done.returncode and "mismatched types" in done.stderr, done.stderr


def test_rust_analyzer(author: Path) -> None:
    """The description has the driver, which depends on kalloc, and kalloc with its generated file."""
    done = make(author, "rust-analyzer")
    assert done.returncode == 0, done.stderr
    crates = json.loads((author / "rust-project.json").read_text())["crates"]
    driver, = (crate for crate in crates if crate["root_module"] == str(author / "below/below.rs"))
    used = {dep["name"]: crates[dep["crate"]] for dep in driver["deps"]}
    assert used["kalloc"]["root_module"] == str(TREE / "rust/kalloc.rs")
    assert Path(used["kalloc"]["env"]["KALLOC_BINDINGS"]).is_file()
    assert {"kernel", "core", "pin_init"} <= used.keys()


@pytest.mark.parametrize(("words", "says"), [
    (("modules", "KERNEL=hurd"), "KERNEL=hurd: choose from stock"),
    (("modules", "KERNEL=debug", "KDIR=/tmp"), "KERNEL=debug: KDIR= is another kernel"),
    (("modules_install",), "modules_install needs no M="),
])
def test_mistake(author: Path, words: tuple[str, ...], says: str) -> None:
    """A mistake is one line."""
    done = make(author, *words)
    assert done.returncode and says in done.stderr, done.stderr
