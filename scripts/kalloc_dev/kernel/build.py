# SPDX-License-Identifier: GPL-2.0-only
"""The kernels: an image to boot, and a build tree for modules.

    stock   Debian's binary, unmodified; only its build tree is made here
    debug   built here: KUnit and the sanitizers, from scripts/configs/{base,debug}.config
    bench   built here: without any debugging, from scripts/configs/{base,bench}.config

The kernels of `make test-matrix` are made only on request. PLANS has all kernels.
"""

import os
import re
import shutil
from dataclasses import dataclass
from pathlib import Path

from kalloc_dev.core import store
from kalloc_dev.core.paths import CACHE, FRAGMENTS, TREE, from_environment
from kalloc_dev.kernel.debian import CURRENT, OLDER, Linux, debian, flavoured
from kalloc_dev.kernel.patched import patched
from kalloc_dev.toolchain.arch import ARM64, X86, Arch
from kalloc_dev.toolchain.compilers import Toolchain, toolchain
from rust_kbuild.console import Failure, run, step

# The space that each takes while it is made, with a margin.
GIGABYTES_STOCK, GIGABYTES_OWN = 0.4, 0.8
RUST_KBUILD = TREE / "scripts/rust-kbuild"
JOBS = f"-j{len(os.sched_getaffinity(0))}"


# The first series whose misc devices have an owner. Modules with a device are not built for older
# kernels.
DEVICES = (7, 3)


def series(release: str) -> tuple[int, ...]:
    """Returns the first two numbers of a release, by which releases are ordered."""
    return tuple(map(int, re.findall(r"\d+", release)[:2]))


@dataclass(frozen=True)
class Plan:
    """A plan for a kernel: its files scripts/configs/*.config, or none for Debian's binary.

    The file of the architecture is added as the last one. With `packed` there is also a compressed
    image, as boot loaders load it. `flavour` is Debian's flavor, if it is not that for clouds. With
    `patched`, the source has the changes of patches/.
    """

    fragments: tuple[str, ...] = ()
    linux: Linux = CURRENT
    packed: bool = False
    arch: Arch = X86
    flavour: str = ""
    patched: bool = False

    @property
    def has_packed(self) -> bool:
        """Returns whether there is a compressed image for boot loaders, such as Debian's binary."""
        return self.packed or not self.fragments


PLANS = {
    "stock": Plan(),
    "stock-amd64": Plan(flavour="-amd64"),
    "debug": Plan(("base", "debug")),
    "bench": Plan(("base", "bench")),
    "prof": Plan(("base", "prof")),
    "kcsan": Plan(("base", "variant", "kcsan", "trace")),
    "hardened": Plan(("base", "variant", "hardened"), packed=True),
    "rt": Plan(("base", "variant", "rt", "trace")),
    "tiny": Plan(("base", "variant", "tiny")),
    "trace": Plan(("base", "debug", "trace")),
    "patched": Plan(("base", "bench", "patched"), patched=True),
    "modversions": Plan(("base", "variant", "modversions")),
    "stock-7.2": Plan(linux=OLDER),
    "debug-7.2": Plan(("base", "debug"), OLDER),
    "arm64": Plan(("base", "debug", "trace"), arch=ARM64),
}
# The kernels of the everyday commands.
NAMES = ("stock", "debug", "bench")


@dataclass(frozen=True)
class Kernel:
    """A kernel that boots, and for which modules can be built.

    `packed` is the compressed image, as boot loaders load it, if there is one. It unpacks itself at
    a random address, and sets up five-level page tables if the processor has them.
    """

    name: str
    image: Path
    tree: Path
    source: Path
    packed: Path | None = None
    arch: Arch = X86

    @property
    def release(self) -> str:
        """Returns the release that uname -r prints, which names its directory in /lib/modules."""
        return (self.tree / "include/config/kernel.release").read_text().strip()


def kernel(name: str) -> Kernel:
    """Returns the kernel of that name, made first if it is missing."""
    plan = PLANS[name]
    return _own(name, plan) if plan.fragments else _stock(name, plan)


def _make(tools: Toolchain, source: Path, tree: Path, *words: str, log: Path, arch: Arch = X86) -> None:
    words = (f"O={tree}", f"ARCH={arch.name}", *words)
    run(tools.argv(["make", "-C", str(source), *words], binds=[source]), log, "make")


def _stock(name: str, plan: Plan) -> Kernel:
    source = debian(plan.linux) / "linux"
    packages = flavoured(plan.linux, plan.flavour) if plan.flavour else debian(plan.linux)
    tools = toolchain()
    directory = store.entry(name, store.key_of(packages.name, tools.ident, "3"),
                            lambda directory: _make_stock(directory, name, packages, source, tools), gigabytes=GIGABYTES_STOCK)
    return Kernel(name, directory / "vmlinux", directory / "tree", source, packages / "vmlinuz")


def _make_stock(directory: Path, name: str, packages: Path, source: Path, tools: Toolchain) -> None:
    """Makes a build tree with Rust's metadata, which Debian's headers package lacks."""
    with step(f"preparing the build tree of the {name} kernel", CACHE / "log" / f"{name}.log") as log:
        rust_tree(directory / "tree", packages / "config", packages / "Module.symvers",
                  (packages / "release").read_text(), source, tools, log)
        # The uncompressed image: on an emulated processor, unpacking takes a third of a boot.
        unpack = 'scripts/extract-vmlinux "$1" >"$2"'
        run(tools.argv(["sh", "-euc", unpack, "sh", packages / "vmlinuz", directory / "vmlinux"], cwd=source), log,
            "extract-vmlinux")


def rust_tree(tree: Path, config: Path, symvers: Path, release: str, source: Path, tools: Toolchain, log: Path) -> None:
    """Makes a build tree by rust-kbuild for a kernel of which only these files are known."""
    # The layout of a headers package.
    headers = tree.with_name("headers")
    (headers / "include/config").mkdir(parents=True)
    shutil.copy(config, headers / ".config")
    shutil.copy(symvers, headers)
    (headers / "include/config/kernel.release").write_text(release)
    call: list[str | Path] = [RUST_KBUILD, "--headers", headers, "--source", source, "--output", tree]
    run(tools.argv(call, binds=[source]), log, "rust-kbuild")


def fragment(files: tuple[str, ...]) -> str:
    """Returns the requested options, one a line; later files override earlier ones."""
    options: dict[str, str] = {}
    for file in files:
        for line in (FRAGMENTS / f"{file}.config").read_text().splitlines():
            if option := re.fullmatch(r"CONFIG_(\w+)=.*", line):
                options[option[1]] = line
            elif option := re.fullmatch(r"# CONFIG_(\w+) is not set", line):
                options.pop(option[1], None)
    return "".join(f"{line}\n" for line in sorted(options.values()))


def _own(name: str, plan: Plan) -> Kernel:
    # The patches are for the tested version.
    own_source = from_environment("KSRC") if plan.linux is CURRENT and not plan.patched else None
    if own_source and not (own_source / "rust/kernel/lib.rs").exists():
        raise Failure(f"KSRC={own_source} is not a Linux source tree with Rust in it")
    source = own_source or debian(plan.linux) / "linux"
    if plan.patched:
        source = patched(source)
    tools = toolchain()
    # Older sources occur for debug-7.2, for KSRC, and for all kernels if the archive has no newer
    # Linux.
    older = ("older",) if _series_of(source) < (7, 3) else ()
    arch, asked = plan.arch, fragment((*plan.fragments, *older, plan.arch.name))
    packed = arch.packed if plan.packed else None
    images = [Path(image).name for image in (arch.image, packed) if image]
    key = store.key_of(str(source), tools.ident, asked, *images[1:])
    # The source in KSRC may change between runs: make detects the changes.
    directory = store.entry(name, key, lambda directory: _make_own(directory, name, source, asked, images, tools, arch),
                            resume=True, always=bool(own_source), gigabytes=GIGABYTES_OWN)
    tree = directory / "tree"
    return Kernel(name, tree / arch.image, tree, source, tree / packed if packed else None, arch)


def _series_of(source: Path) -> tuple[int, ...]:
    """Returns the series of a kernel's source."""
    head = (source / "Makefile").read_text()
    return series(" ".join(re.findall(r"^(?:VERSION|PATCHLEVEL) = (\d+)$", head, re.M)))


def _make_own(directory: Path, name: str, source: Path, asked: str, images: list[str], tools: Toolchain,
              arch: Arch) -> None:
    with step(f"building the {name} kernel", CACHE / "log" / f"{name}.log") as log:
        tree = directory / "tree"
        tree.mkdir(parents=True, exist_ok=True)
        wanted = directory / "fragment"
        wanted.write_text(asked)
        _make(tools, source, tree, "LLVM=1", f"KCONFIG_ALLCONFIG={wanted}", "allnoconfig", log=log, arch=arch)
        _check_fragment(asked, tree / ".config")
        _make(tools, source, tree, "LLVM=1", JOBS, *images, "modules", log=log, arch=arch)


def _check_fragment(asked: str, config: Path) -> None:
    """Fails if the configuration lacks a requested option, whose dependency may be missing."""
    if lost := set(asked.splitlines()) - set(config.read_text().splitlines()):
        raise Failure(f"options that did not take ({config}): {' '.join(sorted(lost))}")
