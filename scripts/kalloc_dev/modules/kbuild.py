# SPDX-License-Identifier: GPL-2.0-only
"""The project's modules: built for a build tree, checked against it, and packed for guests."""

import json
import os
import re
import shutil
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from kalloc_dev.core import store
from kalloc_dev.core.paths import BUILD, LOGS, TREE
from kalloc_dev.guest.cpio import Archive
from kalloc_dev.kernel.build import JOBS, Kernel, series
from kalloc_dev.toolchain.arch import ARM64, X86, Arch
from kalloc_dev.toolchain.compilers import Toolchain, toolchain
from rust_kbuild import symbols
from rust_kbuild.console import Failure, run, step

# The sources of modules; a change in them restarts the kernel's build system.
SOURCES = ("Kbuild", "tests/Makefile.modules", "rust", "watch", "samples", "bench", "tests", "scripts/kalloc_dev/doc/doctests.py",
           "scripts/kalloc_dev/test/fault_injection/generate.py")
SUFFIXES = (".rs", ".c", ".h", ".S")
FOREIGN = "kdir-"
MANY_SITES = "bench"  # built alone: ten thousand sites take a minute to compile
WARNING = re.compile(r"^.*\bwarning: .*$", re.M | re.I)  # modpost prints it in capitals
OLDEST = (6, 13)  # the first with MO=, a directory for the objects of external modules


@dataclass(frozen=True)
class BuildTree:
    """A kernel build tree, and the directory of the objects of its modules."""

    name: str
    path: Path

    @property
    def out(self) -> Path:
        """Returns the directory of the modules."""
        return BUILD / self.name / "modules"

    @property
    def release(self) -> str:
        """Returns the release for which its modules are built."""
        return (self.path / "include/config/kernel.release").read_text().strip()

    @property
    def source(self) -> Path:
        """Returns its source: the tree itself, or the directory that its Makefile includes."""
        included = re.search(r"^include (/.*)/Makefile$", (self.path / "Makefile").read_text(), re.M)
        return Path(included[1]) if included else self.path

    @property
    def arch(self) -> Arch:
        """Returns its architecture."""
        return ARM64 if self.config("ARM64") else X86

    def config(self, name: str) -> str:
        """Returns an option's value, empty if it is not set."""
        text = (self.path / "include/config/auto.conf").read_text()
        found = re.search(rf"^CONFIG_{name}=(.*)$", text, re.M)
        return found[1].strip('"') if found else ""

    @property
    def compiler(self) -> list[str]:
        """Returns the make variables that select the C compiler of the kernel."""
        return ["LLVM=1"] if self.config("CC_IS_CLANG") else []

    def make(self, tools: Toolchain, log: Path, *words: str, binds: Iterable[Path] = (), only: Iterable[str] = ()) -> None:
        """Runs a target of the kernel's build system on this tree.

        If `only` is not empty, it names the modules to build.
        """
        # The benchmarks are not for the kernels of users.
        tests = [] if self.name.startswith(FOREIGN) else ["KALLOC_TESTS=1"]
        if self.name == MANY_SITES:
            tests.append("KALLOC_MANY=1")
        if only:
            tests.append(f"KALLOC_ONLY={' '.join(only)}")
        self.out.mkdir(parents=True, exist_ok=True)
        ours = [f"ARCH={self.arch.name}", f"M={TREE}", f"MO={self.out}", *self.compiler, *tests, JOBS]
        run(tools.argv(["make", "-C", self.path, *ours, *words], binds=[self.path, self.source, *binds]), log, "make")


def tree_of(kernel: Kernel) -> BuildTree:
    """Returns the build tree of one of the project's kernels."""
    return BuildTree(kernel.name, kernel.tree)


def foreign_tree(path: Path) -> BuildTree:
    """Returns the build tree in KDIR, after a check of all that a Rust module needs."""
    tools = toolchain()
    tree = BuildTree(f"{FOREIGN}{store.key_of(str(path))}", path)

    def demand(condition: object, problem: str) -> None:
        if not condition:
            raise Failure(f"KDIR={path} {problem}")

    demand(path.is_dir(), "is not a directory")
    demand((path / "Makefile").exists() and (path / "include/config/auto.conf").exists(),
           "is not a kernel build tree: no include/config/auto.conf (make modules_prepare there first)")
    demand(series(tree.release) >= OLDEST, f"is of Linux {tree.release}: {'.'.join(map(str, OLDEST))} is the oldest that serves")
    demand(tree.config("RUST"), "is of a kernel without Rust: CONFIG_RUST is not set")
    demand((path / "rust/libkernel.rmeta").exists(),
           "has no Rust metadata (rust/libkernel.rmeta), as in distributions' headers packages: "
           "scripts/rust-kbuild makes a tree that has, from that kernel's source")
    built_by, ours = tree.config("RUSTC_VERSION_TEXT"), tools.output(["rustc", "--version"]).strip()
    demand(built_by == ours, f"was made by {built_by}, the compiler here is {ours}"
           + ("" if tools.root is None else " (KALLOC_TOOLCHAIN=host takes this machine's)"))
    demand((path / "Module.symvers").exists(), "has no Module.symvers: build its kernel (make modules) first")
    return tree


def build(tree: BuildTree, only: Iterable[str] = ()) -> list[Path]:
    """Builds all modules, or `only` the named ones, and checks their imports.

    Nothing is built if neither a source nor the tree has changed.
    """
    stamp, warned, only = tree.out / ".built", _warned(tree), sorted(only)
    state = json.dumps([str(tree.path), tree.path.stat().st_ino, only, *_source_state()])
    with store.lock(BUILD / tree.name / "lock"):
        if not stamp.exists() or not warned.exists() or stamp.read_text() != state:
            stamp.unlink(missing_ok=True)
            # make does not repeat the warnings of an object that is up to date.
            if not tree.name.startswith(FOREIGN) and (not warned.exists() or warned.read_text()):
                shutil.rmtree(tree.out, ignore_errors=True)
            warned.unlink(missing_ok=True)
            with step(f"building the modules for {tree.release}", LOGS / f"modules-{tree.name}.log") as log:
                try:
                    tree.make(toolchain(), log, "modules", only=only)
                except Failure as failure:
                    raise _explained(failure, tree) from failure
                finally:
                    warned.write_text("".join(f"{line}\n" for line in WARNING.findall(log.read_text(errors="replace"))))
            check_imports(tree, _modules(tree))
            stamp.write_text(state)
    return _modules(tree)


def warnings(tree: BuildTree) -> list[str]:
    """Returns the warnings of the compilers and the kernel's tools, for all that is built here."""
    warned = _warned(tree)
    return warned.read_text().splitlines() if warned.exists() else [f"there is no {warned}: the warnings are unknown"]


def _warned(tree: BuildTree) -> Path:
    return tree.out / ".warned"


def _modules(tree: BuildTree) -> list[Path]:
    order = (tree.out / "modules.order").read_text().split()
    return [tree.out / Path(name).with_suffix(".ko").name for name in order]


def _source_state() -> Iterable[object]:
    for top in SOURCES:
        path = TREE / top
        for file in sorted(path.rglob("*")) if path.is_dir() else [path]:
            if file == path or file.suffix in SUFFIXES or file.name == "parameters":
                about = file.stat()
                yield [str(file.relative_to(TREE)), about.st_mtime_ns, about.st_size]


def _explained(failure: Failure, tree: BuildTree) -> Failure:
    text = failure.log.read_text(errors="replace") if failure.log else ""
    undefined = re.search(r'modpost: "([^"]+)" \[.*?([^/]+\.ko)\] undefined', text)
    return Failure(symbols.missing(undefined[2], undefined[1], tree.release)) if undefined else failure


def check_imports(tree: BuildTree, modules: list[Path]) -> None:
    """Fails if a module imports a symbol that neither the kernel nor kalloc exports."""
    there = symbols.exported(tree.path / "Module.symvers") | symbols.exported(tree.out / "Module.symvers")
    for problem in symbols.problems(map(symbols.Module, modules), tree.release, there):
        raise Failure(problem)


def image(kernel: Kernel, only: Iterable[str] = ()) -> Path:
    """Returns the cpio archive of the modules, or `only` the named ones, as modprobe expects it."""
    tree = tree_of(kernel)
    modules = build(tree, only)
    packed = BUILD / tree.name / "modules.cpio"
    with store.lock(BUILD / tree.name / "lock"):
        if not packed.exists() or packed.stat().st_mtime_ns < (tree.out / ".built").stat().st_mtime_ns:
            _pack(tree, modules, packed)
    return packed


def _pack(tree: BuildTree, modules: list[Path], packed: Path) -> None:
    stage = BUILD / tree.name / "stage"
    shutil.rmtree(stage, ignore_errors=True)
    directory = stage / "lib/modules" / tree.release
    (directory / "extra").mkdir(parents=True)
    for name in ("modules.order", "modules.builtin", "modules.builtin.modinfo"):
        (directory / name).touch()
    # Debugging information slows down loading. The unstripped modules remain in the build
    # directory.
    script = 'stage=$1 release=$2; shift 2; for ko; do llvm-strip -g -o "$stage/lib/modules/$release/extra/${ko##*/}" "$ko"; ' \
             'done; depmod -b "$stage" "$release"'
    toolchain().output(["sh", "-euc", script, "sh", stage, tree.release, *modules])
    fresh = packed.with_suffix(".new")
    with fresh.open("wb") as out, Archive(out) as archive:
        # A Debian userland has /lib as a link to /usr/lib; a busybox gets the link here.
        archive.copy(directory, f"usr/lib/modules/{tree.release}")
    os.replace(fresh, packed)


def install(tree: BuildTree) -> list[Path]:
    """Installs the modules under INSTALL_MOD_PATH/lib/modules, for a machine that runs this kernel."""
    build(tree)
    root = Path(os.environ.get("INSTALL_MOD_PATH") or "/").resolve()
    directory = root / "lib/modules" / tree.release
    directory.mkdir(parents=True, exist_ok=True)
    with step(f"installing the modules into {directory}", LOGS / "modules_install.log") as log:
        tree.make(toolchain(), log, f"INSTALL_MOD_PATH={root}", "modules_install", binds=[directory])
    return sorted((directory / "updates").glob("kalloc*"))
