# SPDX-License-Identifier: GPL-2.0-only
"""A module that was built with another kalloc.ko does not load; the location of the sources makes
no difference.

On a kernel with CONFIG_MODVERSIONS (--kernel=modversions), the names of the symbols are kept the
same on purpose: the checksums of their types must differ, and the kernel must reject the module
because of them.
"""

import shutil
from collections.abc import Mapping, Sequence
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

pytestmark = pytest.mark.long

# The change in each later kalloc.ko: a layout that Rust code relies on, a layout that both
# languages rely on, and C code behind inline functions.
CHANGES: dict[str, list[tuple[str, str, str]]] = {
    "same": [],
    "rust": [("rust/accounting/site.rs", "pub struct Site {\n", "pub struct Site {\n    _later: [u64; 4],\n"),
             ("rust/accounting/site.rs", "        Site {\n", "        Site {\n            _later: [0; 4],\n")],
    "helper": [("rust/helpers/refcount.c", "return refcount_inc_not_zero_acquire(", "return refcount_inc_not_zero(")],
    "parameters": [("rust/sys/bindgen_parameters", "--allowlist-function vfree_atomic\n", "")],
}
# Changes of types: of a type that the crate's functions take by reference, and of the result of a C
# helper.
RETYPED = {
    "same": [],
    "rust": CHANGES["rust"],
    "helper": [("rust/helpers/page.c", "unsigned long kalloc_helper_totalram_pages(void);\nunsigned long",
                "size_t kalloc_helper_totalram_pages(void);\nsize_t")],
}
# The command in Kbuild that computes the hash.
HASH = "sha256sum < $@.of | cut -c -16"
GUEST = r"""
for built in same rust helper parameters; do
    insmod /$built/kalloc.ko
    if insmod /lib/modules/*/extra/kalloc_exercise.ko; then echo "$built loads"; rmmod kalloc_exercise
    else echo "$built does not"; fi
    rmmod kalloc
done 2>/dev/null
dmesg | sed -n 's/.* kalloc_exercise: Unknown symbol \(.*\) (err -2)$/\1/p' | sort -u
"""
RETYPED_GUEST = r"""
for built in same rust helper; do
    insmod /$built/kalloc.ko
    if insmod /lib/modules/*/extra/kalloc_exercise.ko; then echo "$built loads"; rmmod kalloc_exercise
    else echo "$built does not: $?"; fi
    rmmod kalloc
    dmesg -c | sed -n "s/.* kalloc_exercise: disagrees about version of symbol /$built /p" | sort -u
done 2>/dev/null
"""


def build(tree: kbuild.BuildTree, name: str, changes: Sequence[tuple[str, str, str]]) -> Path:
    """Builds the kalloc.ko of a copy of the sources with these changes; returns its directory."""
    source = BUILD / "version" / tree.name / name
    # The unchanged copy is built in its source directory, like in DKMS.
    out = source if name == "same" else source.with_name(f"{name}-modules")
    shutil.rmtree(source, ignore_errors=True)
    source.mkdir(parents=True)
    out.mkdir(exist_ok=True)
    # With their times, so that up-to-date files are not built again.
    shutil.copy2(TREE / "Kbuild", source)
    shutil.copytree(TREE / "rust", source / "rust")
    for file, old, new in changes:
        text = (source / file).read_text()
        assert text.count(old) == 1, f"{file} has no {old}"
        (source / file).write_text(text.replace(old, new))
    where = [f"M={source}"] if out == source else [f"M={source}", f"MO={out}"]
    call: list[str | Path] = ["make", "-C", tree.path, f"ARCH={tree.arch.name}", *where, *tree.compiler, JOBS, "kalloc.ko"]
    # Up-to-date files are not built again, and keep their version.
    for _ in range(2):
        before = (out / "kalloc.ko").stat().st_mtime_ns if (out / "kalloc.ko").exists() else 0
        run(toolchain().argv(call, binds=[tree.path, tree.source, source, out]), LOGS / "version.log", "make")
    assert (out / "kalloc.ko").stat().st_mtime_ns == before, f"{name}: built again"
    return out


@pytest.fixture(scope="module")
def tree(request: pytest.FixtureRequest) -> kbuild.BuildTree:
    """Returns the kernel's tree, with the modules."""
    tree = kbuild.tree_of(set_up(request.config.getoption("--kernel") or "stock")[0])
    kbuild.build(tree)
    return tree


@pytest.fixture(scope="module")
def imports(tree: kbuild.BuildTree) -> set[str]:
    """Returns the symbols that a sample imports from kalloc.ko."""
    imports = Module(tree.out / "kalloc_exercise.ko").imports - set(exported(tree.path / "Module.symvers"))
    assert any(name.startswith("_R") for name in imports) and any("_helper_" in name for name in imports), imports
    return imports


def boot(kernel: str, outs: Mapping[str, Path], commands: str) -> list[str]:
    """Runs commands in a guest that has each kalloc.ko in a directory of its name; returns the
    output lines.
    """
    add = [f"--add={out}/kalloc.ko:/{name}/" for name, out in outs.items()]
    return in_guest(commands, "--kernel", kernel, "--timeout", "900", *add).stdout.splitlines()


@pytest.fixture(scope="module")
def built(tree: kbuild.BuildTree) -> dict[str, Path]:
    """Returns the directories of the other kalloc.ko, by change."""
    if tree.config("MODVERSIONS"):
        pytest.skip("the names are kept the same on a kernel with checksums")
    return {name: build(tree, name, changes) for name, changes in CHANGES.items()}


@pytest.mark.parametrize("name", CHANGES)
def test_symbols(tree: kbuild.BuildTree, imports: set[str], built: dict[str, Path], name: str) -> None:
    """A changed kalloc.ko exports none of the symbols that the sample imports."""
    common = imports & Module(built[name] / "kalloc.ko").exports
    assert common == (imports if name == "same" else set()), f"{name}: {len(common)} of {len(imports)}: {common}"
    version = (built[name] / "rust/version").read_text()
    assert (version == (tree.out / "rust/version").read_text()) == (name == "same"), f"{name}: {version}"


def test_loading(tree: kbuild.BuildTree, imports: set[str], built: dict[str, Path]) -> None:
    """The sample loads with the same kalloc.ko only; the kernel logs each missing symbol."""
    lines = boot(tree.name, built, GUEST)
    assert lines[:4] == ["same loads", "rust does not", "helper does not", "parameters does not"], lines
    assert set(lines[4:]) == imports, f"{lines}\nnot told: {imports - set(lines)}"


@pytest.fixture(scope="module")
def checked(tree: kbuild.BuildTree) -> kbuild.BuildTree:
    """Returns the tree of a kernel that compares checksums of types."""
    if not tree.config("MODVERSIONS"):
        pytest.skip("no CONFIG_MODVERSIONS: --kernel=modversions")
    return tree


def test_checksums(checked: kbuild.BuildTree, imports: set[str]) -> None:
    """With the same names, the kernel rejects exactly the symbols whose type has changed."""
    exports = Module(checked.out / "kalloc.ko").exports
    ours = {name: value for name, value in exported(checked.out / "Module.symvers").items() if name in exports}
    taken = {name: value for name, value in Module(checked.out / "kalloc_exercise.ko").checksums.items() if name in imports}
    assert set(ours) == exports and set(taken) == imports, (exports - set(ours), imports - set(taken))
    assert all(ours.values()), f"no checksum: {[name for name, value in ours.items() if not value]}"
    different = len(set(ours.values()))
    assert different > len(ours) // 2, f"{different} checksums of {len(ours)} symbols"
    version = (checked.out / "rust/version").read_text().strip()
    outs, told = {}, []
    for name, changes in RETYPED.items():
        outs[name] = out = build(checked, name, [*changes, ("Kbuild", HASH, f"echo {version}")] if changes else [])
        theirs = exported(out / "Module.symvers")
        assert imports <= set(theirs), f"{name}: other names than {imports - set(theirs)}"
        changed = {symbol for symbol in imports if theirs[symbol] != taken[symbol]}
        assert changed < imports and bool(changed) == bool(changes), f"{name}: other checksums of {changed}"
        # EINVAL, as for each of the symbols.
        told += [f"{name} does not: 22" if changed else f"{name} loads", *sorted(f"{name} {symbol}" for symbol in changed)]
    lines = boot(checked.name, outs, RETYPED_GUEST)
    assert lines == told, f"{lines}, not {told}"
