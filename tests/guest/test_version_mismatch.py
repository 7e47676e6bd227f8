# SPDX-License-Identifier: GPL-2.0
"""A module that was built with another kalloc.ko does not load; where the sources are does not matter."""

import shutil
from pathlib import Path

import pytest

from kalloc_dev.core.paths import BUILD, LOGS, TREE
from kalloc_dev.core.prepare import set_up
from kalloc_dev.kernel.build import JOBS
from kalloc_dev.modules import kbuild
from kalloc_dev.test.session import in_guest
from kalloc_dev.toolchain.compilers import toolchain
from rust_kbuild.console import run
from rust_kbuild.symbols import Module, exported

# What each later kalloc.ko has changed: a layout that Rust code relies on, one that both languages do, and
# what C does for inline functions.
CHANGES: dict[str, list[tuple[str, str, str]]] = {
    "same": [],
    "rust": [("rust/site.rs", "pub struct Site {\n", "pub struct Site {\n    _later: [u64; 4],\n"),
             ("rust/site.rs", "        Site {\n", "        Site {\n            _later: [0; 4],\n")],
    "helper": [("rust/helpers/refcount.c", "return refcount_inc_not_zero_acquire(", "return refcount_inc_not_zero(")],
    "parameters": [("rust/bindings/parameters", "--allowlist-function vfree_atomic\n", "")],
}
GUEST = r"""
for built in same rust helper parameters; do
    insmod /$built/kalloc.ko
    if insmod /lib/modules/*/extra/kalloc_exercise.ko; then echo "$built loads"; rmmod kalloc_exercise
    else echo "$built does not"; fi
    rmmod kalloc
done 2>/dev/null
dmesg | sed -n 's/.* kalloc_exercise: Unknown symbol \(.*\) (err -2)$/\1/p' | sort -u
"""


def build(tree: kbuild.BuildTree, name: str) -> Path:
    """Builds the kalloc.ko of a copy of the sources with these changes; returns its directory."""
    source = BUILD / "version" / name
    # The same next to the sources, as DKMS does.
    out = source if name == "same" else BUILD / "version" / f"{name}-modules"
    shutil.rmtree(source, ignore_errors=True)
    source.mkdir(parents=True)
    out.mkdir(exist_ok=True)
    # With their times, so that what is up to date is not built again.
    shutil.copy2(TREE / "Kbuild", source)
    shutil.copytree(TREE / "rust", source / "rust")
    for file, old, new in CHANGES[name]:
        text = (source / file).read_text()
        assert text.count(old) == 1, f"{file} has no {old}"
        (source / file).write_text(text.replace(old, new))
    where = [f"M={source}"] if out == source else [f"M={source}", f"MO={out}"]
    call: list[str | Path] = ["make", "-C", tree.path, f"ARCH={tree.arch.name}", *where, *tree.compiler, JOBS, "kalloc.ko"]
    # What is up to date is not built again, nor does it get another version.
    for _ in range(2):
        before = (out / "kalloc.ko").stat().st_mtime_ns if (out / "kalloc.ko").exists() else 0
        run(toolchain().argv(call, binds=[tree.path, tree.source, source, out]), LOGS / "version.log", "make")
    assert (out / "kalloc.ko").stat().st_mtime_ns == before, f"{name}: built again"
    return out


@pytest.fixture(scope="module")
def tree() -> kbuild.BuildTree:
    """The stock kernel's tree, with the modules."""
    tree = kbuild.tree_of(set_up("stock")[0])
    kbuild.build(tree)
    return tree


@pytest.fixture(scope="module")
def imports(tree: kbuild.BuildTree) -> set[str]:
    """The symbols that a sample imports from kalloc.ko."""
    imports = Module(tree.out / "kalloc_exercise.ko").imports - set(exported(tree.path / "Module.symvers"))
    assert any(name.startswith("_R") for name in imports) and any("_helper_" in name for name in imports), imports
    return imports


@pytest.fixture(scope="module")
def built(tree: kbuild.BuildTree) -> dict[str, Path]:
    """The directories of the other kalloc.ko, by change."""
    return {name: build(tree, name) for name in CHANGES}


@pytest.mark.parametrize("name", CHANGES)
def test_symbols(tree: kbuild.BuildTree, imports: set[str], built: dict[str, Path], name: str) -> None:
    """A changed kalloc.ko exports none of the symbols that the sample imports."""
    common = imports & Module(built[name] / "kalloc.ko").exports
    assert common == (imports if name == "same" else set()), f"{name}: {len(common)} of {len(imports)}: {common}"
    version = (built[name] / "rust/version").read_text()
    assert (version == (tree.out / "rust/version").read_text()) == (name == "same"), f"{name}: {version}"


def test_loading(imports: set[str], built: dict[str, Path]) -> None:
    """The sample loads with the same kalloc.ko only; the kernel logs each symbol that is missing."""
    session = in_guest(GUEST, "--kernel", "stock", "--timeout", "120",
                       *(f"--add={out}/kalloc.ko:/{name}/" for name, out in built.items()))
    lines = session.stdout.splitlines()
    assert lines[:4] == ["same loads", "rust does not", "helper does not", "parameters does not"], session.stdout
    assert set(lines[4:]) == imports, f"{session.stdout}\nnot told: {imports - set(lines)}"
