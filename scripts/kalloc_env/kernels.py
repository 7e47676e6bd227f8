# SPDX-License-Identifier: GPL-2.0
"""The kernels: an image to boot and a build tree to make modules for.

    stock   Debian's own binary, unmodified; only its build tree is made here
    debug   ours: KUnit and the checkers, from scripts/kernel/{base,debug}.config
    bench   ours: nothing that costs time, from scripts/kernel/{base,bench}.config
"""

import lzma
import os
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from . import cache as store
from .archive import Archive
from .paths import CACHE, FRAGMENTS, from_environment
from .say import Failure, run, say, step
from .toolchain import Toolchain, toolchain

NAMES = ("stock", "debug", "bench")

# What was tested; another 7.3.y, then another 7.2.y, does when the archive has dropped it.
PINNED = ("7.3.4", "7.3.4-1~bpo13+1")
SERIES = ("7.3", "7.2")
FLAVOUR = "+deb13-cloud-amd64"

# What each takes while it is made, and a little more.
GIGABYTES_DEBIAN, GIGABYTES_STOCK, GIGABYTES_OWN = 2.4, 0.4, 0.8
JOBS = f"-j{len(os.sched_getaffinity(0))}"


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

    @property
    def release(self) -> str:
        """What uname -r says in it, the name of its folder in /lib/modules."""
        return (self.tree / "include/config/kernel.release").read_text().strip()


def kernel(name: str) -> Kernel:
    """The kernel of that name, made first if it has to be."""
    return _stock() if name == "stock" else _own(name)


def debian() -> Path:
    """Debian's source, headers and binary of one version, unpacked.

    The folder has linux/ (the source), config, Module.symvers, vmlinuz and release.
    """
    return store.entry("debian", store.key_of(*PINNED, "1"), _get_debian, gigabytes=GIGABYTES_DEBIAN)


def _choose(archive: Archive) -> tuple[str, str]:
    """The kernel's version and its packages', of those that the archive has."""
    if PINNED[1] in archive.versions(f"linux-source-{SERIES[0]}"):
        return PINNED
    for series in SERIES:
        pattern = rf"linux-headers-({re.escape(series)}\.\d+){re.escape(FLAVOUR)}"
        there = sorted((re.fullmatch(pattern, name)[1] for name in archive.names(pattern)),  # type: ignore[index]
                       key=lambda version: int(version.rsplit(".", 1)[1]), reverse=True)
        packaged = archive.versions(f"linux-source-{series}")
        for version in there:
            for package in packaged:
                if package.startswith(f"{version}-"):
                    say(f"    the archive has dropped Linux {PINNED[0]}: using {version}, untested")
                    return version, package
    raise Failure(f"the archive has no Linux {' or '.join(f'{series}.y' for series in SERIES)} "
                  f"for {FLAVOUR} any more: update PINNED in {Path(__file__).name}", archive.log)


def _get_debian(folder: Path) -> None:
    with step("getting Debian's kernel and its source", CACHE / "log" / "debian.log") as log:
        archive = Archive(folder, log)
        version, package = _choose(archive)
        series = version.rsplit(".", 1)[0]
        release = version + FLAVOUR
        names = [f"linux-source-{series}", f"linux-headers-{release}", f"linux-binary-{release}"]
        debs = folder / "debs"
        debs.mkdir()
        archive.download([f"{name}={package}" for name in names], debs)
        for deb in debs.iterdir():
            run(["dpkg-deb", "-x", deb, folder / "x"], log)
        x = folder / "x" / "usr"
        (folder / "release").write_text(release)
        for name in (".config", "Module.symvers"):
            shutil.copy(x / f"src/linux-headers-{release}" / name, folder / name.lstrip("."))
        shutil.copy(x / f"lib/modules/{release}/vmlinuz", folder)
        _unpack(x / f"src/linux-source-{series}.tar.xz", folder / "linux", log)
        for used in ("apt", "debs", "x"):
            shutil.rmtree(folder / used)


def _unpack(archive: Path, folder: Path, log: Path) -> None:
    """Unpacks a .tar.xz; the host may have no xz, but Python has its library."""
    folder.mkdir()
    tar = ["tar", "-x", "--strip-components=1", "--no-same-owner", "-C", str(folder)]
    with lzma.open(archive) as plain, log.open("ab") as out:
        with subprocess.Popen(tar, stdin=subprocess.PIPE, stdout=out, stderr=out) as process:
            assert process.stdin
            shutil.copyfileobj(plain, process.stdin, 1 << 20)
            process.stdin.close()
    if process.returncode:
        raise Failure(f"{archive.name} cannot be unpacked", log)


def _make(tools: Toolchain, source: Path, tree: Path, *words: str, log: Path) -> None:
    run(tools.argv(["make", "-C", str(source), f"O={tree}", "ARCH=x86", *words], binds=[source]), log, "make")


def _stock() -> Kernel:
    debian_folder = debian()
    tools = toolchain()
    folder = store.entry("stock", store.key_of(debian_folder.name, tools.ident, "2"),
                         lambda folder: _make_stock(folder, debian_folder, tools), gigabytes=GIGABYTES_STOCK)
    return Kernel("stock", folder / "vmlinux", folder / "tree", debian_folder / "linux", debian_folder / "vmlinuz")


def _make_stock(folder: Path, debian_folder: Path, tools: Toolchain) -> None:
    """The build tree that Debian's headers package is not: one with Rust's metadata.

    The same compilers and the same configuration give the Rust crates the same
    symbol names that the binary exports.
    """
    with step("preparing the build tree of the stock kernel", CACHE / "log" / "stock.log") as log:
        tree = folder / "tree"
        tree.mkdir()
        shutil.copy(debian_folder / "config", tree / ".config")
        release = (debian_folder / "release").read_text()
        local = "LOCALVERSION=+" + release.split("+", 1)[1]
        source = debian_folder / "linux"
        _make(tools, source, tree, local, "olddefconfig", log=log)
        # Without its BTF option make builds no tools for BTF, which modules do not need
        # here; the configuration that the compilers see stays Debian's.
        _make(tools, source, tree, local, "CONFIG_DEBUG_INFO_BTF=", JOBS, "modules_prepare", log=log)
        shutil.copy(debian_folder / "Module.symvers", tree)
        # The image as it is once it has unpacked itself, which takes an emulated processor a third of a boot.
        unpack = 'scripts/extract-vmlinux "$1" >"$2"'
        run(tools.argv(["sh", "-euc", unpack, "sh", debian_folder / "vmlinuz", folder / "vmlinux"], cwd=source), log,
            "extract-vmlinux")
    check_release(tree, release)


def check_release(tree: Path, release: str) -> None:
    """Fails if modules of this build tree would not load in that release."""
    made = (tree / "include/config/kernel.release").read_text().strip()
    if made != release:
        raise Failure(f"the build tree is of Linux {made}, the binary is {release}")


def fragment(name: str) -> str:
    """The options asked for, one a line: base.config's, as far as the kernel's own does not overrule it."""
    options: dict[str, str] = {}
    for file in ("base", name):
        for line in (FRAGMENTS / f"{file}.config").read_text().splitlines():
            if option := re.fullmatch(r"CONFIG_(\w+)=.*", line):
                options[option[1]] = line
            elif option := re.fullmatch(r"# CONFIG_(\w+) is not set", line):
                options.pop(option[1], None)
    return "".join(f"{line}\n" for line in sorted(options.values()))


def _own(name: str) -> Kernel:
    own_source = from_environment("KSRC")
    if own_source and not (own_source / "rust/kernel/lib.rs").exists():
        raise Failure(f"KSRC={own_source} is not a Linux source tree with Rust in it")
    source = own_source or debian() / "linux"
    tools = toolchain()
    asked = fragment(name)
    key = store.key_of(str(source), tools.ident, asked)
    # A source of one's own is one that people edit: make finds out what has changed.
    folder = store.entry(name, key, lambda folder: _make_own(folder, name, source, asked, tools),
                         resume=True, always=bool(own_source), gigabytes=GIGABYTES_OWN)
    return Kernel(name, folder / "tree/vmlinux", folder / "tree", source)


def _make_own(folder: Path, name: str, source: Path, asked: str, tools: Toolchain) -> None:
    with step(f"building the {name} kernel", CACHE / "log" / f"{name}.log") as log:
        tree = folder / "tree"
        tree.mkdir(parents=True, exist_ok=True)
        wanted = folder / "fragment"
        wanted.write_text(asked)
        _make(tools, source, tree, "LLVM=1", f"KCONFIG_ALLCONFIG={wanted}", "allnoconfig", log=log)
        _check_fragment(asked, tree / ".config")
        _make(tools, source, tree, "LLVM=1", JOBS, "vmlinux", "modules", log=log)


def _check_fragment(asked: str, config: Path) -> None:
    """Fails if an option asked for did not survive: a dependency of it is missing."""
    if lost := set(asked.splitlines()) - set(config.read_text().splitlines()):
        raise Failure(f"options that did not take ({config}): {' '.join(sorted(lost))}")
