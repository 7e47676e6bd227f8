# SPDX-License-Identifier: GPL-2.0
"""The kernels: an image to boot and a build tree to make modules for.

    stock   Debian's own binary, unmodified; only its build tree is made here
    debug   ours: KUnit and the checkers, from scripts/configs/{base,debug}.config
    bench   ours: nothing that costs time, from scripts/configs/{base,bench}.config

and those of `make test-matrix`, made only when they are asked for: PLANS has all.
"""

import os
import re
import shutil
from dataclasses import dataclass
from pathlib import Path

from kalloc_dev.core import store
from kalloc_dev.core.paths import CACHE, FRAGMENTS, TREE, from_environment
from kalloc_dev.kernel.debian import CURRENT, OLDER, Linux, debian, flavoured
from kalloc_dev.toolchain.arch import ARM64, X86, Arch
from kalloc_dev.toolchain.compilers import Toolchain, toolchain
from rust_kbuild.console import Failure, run, step

# What each takes while it is made, and a little more.
GIGABYTES_STOCK, GIGABYTES_OWN = 0.4, 0.8
RUST_KBUILD = TREE / "scripts/rust-kbuild"
JOBS = f"-j{len(os.sched_getaffinity(0))}"


# The first whose misc devices have an owner; what is not built for older ones is not tried on them.
DEVICES = (7, 3)


def series(release: str) -> tuple[int, ...]:
    """The first two numbers of a release, which tell how new it is."""
    return tuple(map(int, re.findall(r"\d+", release)[:2]))


@dataclass(frozen=True)
class Plan:
    """How a kernel is made: from which of scripts/configs/*.config, or as Debian's own binary if from none.

    Its architecture's is the last of them. With `packed` there is also an image as boot loaders get it. `flavour`
    is Debian's, if it is not the cloud's.
    """

    fragments: tuple[str, ...] = ()
    linux: Linux = CURRENT
    packed: bool = False
    arch: Arch = X86
    flavour: str = ""

    @property
    def has_packed(self) -> bool:
        """Whether there is an image as boot loaders get it; Debian's binary is one."""
        return self.packed or not self.fragments


PLANS = {
    "stock": Plan(),
    "stock-amd64": Plan(flavour="-amd64"),
    "debug": Plan(("base", "debug")),
    "bench": Plan(("base", "bench")),
    "prof": Plan(("base", "prof")),
    "kcsan": Plan(("base", "variant", "kcsan")),
    "hardened": Plan(("base", "variant", "hardened"), packed=True),
    "rt": Plan(("base", "variant", "rt")),
    "tiny": Plan(("base", "variant", "tiny")),
    "modversions": Plan(("base", "variant", "modversions")),
    "stock-7.2": Plan(linux=OLDER),
    "debug-7.2": Plan(("base", "debug"), OLDER),
    "arm64": Plan(("base", "debug"), arch=ARM64),
}
# What the everyday commands need.
NAMES = ("stock", "debug", "bench")


@dataclass(frozen=True)
class Kernel:
    """A kernel that can be booted and built for.

    `packed` is the same image as boot loaders get it, if there is one: it unpacks itself, somewhere at
    random, and sets up five-level page tables where the processor has them.
    """

    name: str
    image: Path
    tree: Path
    source: Path
    packed: Path | None = None
    arch: Arch = X86

    @property
    def release(self) -> str:
        """What uname -r says in it, the name of its folder in /lib/modules."""
        return (self.tree / "include/config/kernel.release").read_text().strip()


def kernel(name: str) -> Kernel:
    """The kernel of that name, made first if it has to be."""
    plan = PLANS[name]
    return _own(name, plan) if plan.fragments else _stock(name, plan)


def _make(tools: Toolchain, source: Path, tree: Path, *words: str, log: Path, arch: Arch = X86) -> None:
    words = (f"O={tree}", f"ARCH={arch.name}", *words)
    run(tools.argv(["make", "-C", str(source), *words], binds=[source]), log, "make")


def _stock(name: str, plan: Plan) -> Kernel:
    source = debian(plan.linux) / "linux"
    packages = flavoured(plan.linux, plan.flavour) if plan.flavour else debian(plan.linux)
    tools = toolchain()
    folder = store.entry(name, store.key_of(packages.name, tools.ident, "2"),
                         lambda folder: _make_stock(folder, name, packages, source, tools), gigabytes=GIGABYTES_STOCK)
    return Kernel(name, folder / "vmlinux", folder / "tree", source, packages / "vmlinuz")


def _make_stock(folder: Path, name: str, packages: Path, source: Path, tools: Toolchain) -> None:
    """The build tree that Debian's headers package is not: one with Rust's metadata."""
    with step(f"preparing the build tree of the {name} kernel", CACHE / "log" / f"{name}.log") as log:
        # As the headers package has them.
        headers = folder / "headers"
        (headers / "include/config").mkdir(parents=True)
        shutil.copy(packages / "config", headers / ".config")
        shutil.copy(packages / "Module.symvers", headers)
        shutil.copy(packages / "release", headers / "include/config/kernel.release")
        call: list[str | Path] = [RUST_KBUILD, "--headers", headers, "--source", source, "--output", folder / "tree"]
        run(tools.argv(call, binds=[source]), log, "rust-kbuild")
        # The image as it is once it has unpacked itself, which takes an emulated processor a third of a boot.
        unpack = 'scripts/extract-vmlinux "$1" >"$2"'
        run(tools.argv(["sh", "-euc", unpack, "sh", packages / "vmlinuz", folder / "vmlinux"], cwd=source), log,
            "extract-vmlinux")


def fragment(files: tuple[str, ...]) -> str:
    """The options asked for, one a line: each file's, as far as a later one does not overrule them."""
    options: dict[str, str] = {}
    for file in files:
        for line in (FRAGMENTS / f"{file}.config").read_text().splitlines():
            if option := re.fullmatch(r"CONFIG_(\w+)=.*", line):
                options[option[1]] = line
            elif option := re.fullmatch(r"# CONFIG_(\w+) is not set", line):
                options.pop(option[1], None)
    return "".join(f"{line}\n" for line in sorted(options.values()))


def _own(name: str, plan: Plan) -> Kernel:
    own_source = from_environment("KSRC") if plan.linux is CURRENT else None
    if own_source and not (own_source / "rust/kernel/lib.rs").exists():
        raise Failure(f"KSRC={own_source} is not a Linux source tree with Rust in it")
    source = own_source or debian(plan.linux) / "linux"
    tools = toolchain()
    # So it is of debug-7.2, of KSRC maybe, and of all if the archive has nothing newer.
    older = ("older",) if _series_of(source) < (7, 3) else ()
    arch, asked = plan.arch, fragment((*plan.fragments, *older, plan.arch.name))
    packed = arch.packed if plan.packed else None
    images = [Path(image).name for image in (arch.image, packed) if image]
    key = store.key_of(str(source), tools.ident, asked, *images[1:])
    # A source of one's own is one that people edit: make finds out what has changed.
    folder = store.entry(name, key, lambda folder: _make_own(folder, name, source, asked, images, tools, arch),
                         resume=True, always=bool(own_source), gigabytes=GIGABYTES_OWN)
    tree = folder / "tree"
    return Kernel(name, tree / arch.image, tree, source, tree / packed if packed else None, arch)


def _series_of(source: Path) -> tuple[int, ...]:
    """The series of a kernel's source."""
    head = (source / "Makefile").read_text()
    return series(" ".join(re.findall(r"^(?:VERSION|PATCHLEVEL) = (\d+)$", head, re.M)))


def _make_own(folder: Path, name: str, source: Path, asked: str, images: list[str], tools: Toolchain,
              arch: Arch) -> None:
    with step(f"building the {name} kernel", CACHE / "log" / f"{name}.log") as log:
        tree = folder / "tree"
        tree.mkdir(parents=True, exist_ok=True)
        wanted = folder / "fragment"
        wanted.write_text(asked)
        _make(tools, source, tree, "LLVM=1", f"KCONFIG_ALLCONFIG={wanted}", "allnoconfig", log=log, arch=arch)
        _check_fragment(asked, tree / ".config")
        _make(tools, source, tree, "LLVM=1", JOBS, *images, "modules", log=log, arch=arch)


def _check_fragment(asked: str, config: Path) -> None:
    """Fails if an option asked for did not survive: a dependency of it is missing."""
    if lost := set(asked.splitlines()) - set(config.read_text().splitlines()):
        raise Failure(f"options that did not take ({config}): {' '.join(sorted(lost))}")
