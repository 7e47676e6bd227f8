# SPDX-License-Identifier: GPL-2.0-only
"""The compilers and tools: the host's if they are suitable, else those of a root directory."""

import os
import re
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from kalloc_dev.core import sandbox, store
from kalloc_dev.core.paths import CACHE, TREE, from_environment, home
from kalloc_dev.toolchain.apt import SUITE, explained, mmdebstrap
from rust_kbuild.console import Failure, run, step

PACKAGES = (
    "bc bindgen bison busybox-static ca-certificates cargo clang codespell cpio file flex gcc git kmod libc6-dev "
    "libdw-dev libelf-dev libssl-dev lld llvm make pahole perl python3 python3-docutils python3-ply qemu-system-x86 "
    "rsync rust-analyzer rust-clippy rust-src rustc rustfmt shellcheck xz-utils zstd"
).split()
GIGABYTES = 2.6
EMULATORS = ("opensbi", "qemu-system-arm", "qemu-system-riscv")

# The tools that a host needs to replace that root directory, with their oldest versions.
HOST_TOOLS = (
    "gcc make flex bison bc clang ld.lld llvm-nm rustfmt pahole depmod qemu-system-x86_64 "
    "busybox cpio xz perl"
).split()
HOST_VERSIONS = {"rustc": (1, 85, 0), "bindgen": (0, 71, 1)}

# The variables of the caller's environment that the tools receive.
PASSED = re.compile(r"TERM|KALLOC_\w+|KDIR|KSRC|V|W|CLIPPY|[a-z]+_proxy|DEBIAN_MIRROR")


@dataclass(frozen=True)
class Toolchain:
    """The location of the tools. `ident` changes when the compilers do."""

    root: Path | None
    ident: str

    def argv(self, command: Sequence[str | Path], cwd: Path = TREE,
             env: Mapping[str, str] | None = None, binds: Sequence[Path] = ()) -> list[str]:
        """Returns the call that runs `command` with these tools in a clean environment."""
        words = [str(word) for word in command]
        clean = {name: value for name, value in os.environ.items() if PASSED.fullmatch(name)}
        clean |= {"LANG": "C.UTF-8", **(env or {})}
        if self.root is None:
            keep = {"PATH": os.environ["PATH"], "HOME": str(home())}
            return ["env", "-i", "-C", str(cwd),
                    *(f"{name}={value}" for name, value in (keep | clean).items()), *words]
        keep = {"PATH": "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin", "HOME": "/root"}
        own = [path for name in ("KDIR", "KSRC") if (path := from_environment(name))]
        return sandbox.inside(self.root, words, cwd, keep | clean, [TREE, CACHE, cwd, *own, *binds])

    def program(self, name: str) -> Path:
        """Returns the path of a program of the toolchain on the host."""
        if self.root is None:
            return Path(shutil.which(name) or name)
        return self.root / "usr/bin" / name

    def output(self, command: Sequence[str | Path], binds: Sequence[Path] = ()) -> str:
        """Returns the output of a short command of the toolchain."""
        done = subprocess.run(self.argv(command, binds=binds), stdin=subprocess.DEVNULL,
                              capture_output=True, text=True, check=False)
        if done.returncode:
            raise Failure(f"{command[0]}: {done.stderr.strip() or done.returncode}")
        return done.stdout


def _host_lacks() -> str | None:
    """Returns the reason why the host's tools are not suitable, or None if they are."""
    if TREE.is_symlink():
        return f"no make that can use the path {TREE.readlink()}"
    for tool in (*HOST_TOOLS, *HOST_VERSIONS):
        if not shutil.which(tool):
            return f"no {tool}"
    for tool, least in HOST_VERSIONS.items():
        text = _printed(tool, "--version")
        found = re.search(r"(\d+)\.(\d+)\.(\d+)", text)
        if not found or tuple(map(int, found.groups())) < least:
            return f"{tool} is {found.group() if found else 'of unknown version'}, older than " + \
                ".".join(map(str, least))
    source = Path(_printed("rustc", "--print", "sysroot").strip(), "lib/rustlib/src/rust/library")
    if not source.is_dir():
        return "no rust-src (the library's source) next to rustc"
    if _is_dynamic(shutil.which("busybox")):
        return "busybox is not a static one (busybox-static)"
    return None


def _printed(*argv: str) -> str:
    return subprocess.run(argv, capture_output=True, text=True, check=False).stdout


def _is_dynamic(program: str | None) -> bool:
    return b"ld-linux" in Path(program or "").read_bytes()[:4096]


@cache
def toolchain() -> Toolchain:
    """Returns the tools to use (KALLOC_TOOLCHAIN=auto|host|root), installed first if necessary."""
    choice = os.environ.get("KALLOC_TOOLCHAIN", "auto")
    if choice not in ("auto", "host", "root"):
        raise Failure(f"KALLOC_TOOLCHAIN={choice}: it is one of auto, host, root")
    lacks = _host_lacks() if choice != "root" else "not asked"
    if choice == "host" and lacks:
        raise Failure(f"KALLOC_TOOLCHAIN=host, but this host has {lacks}")
    if lacks is None:
        versions = [_printed(tool, "--version") for tool in ("rustc", "bindgen", "gcc", "clang", "ld.lld")]
        return Toolchain(None, store.key_of(*versions))
    return _root("toolchain", PACKAGES)


@cache
def emulators() -> Toolchain:
    """Returns a root directory with the same tools, and the emulators of other architectures."""
    return _root("emulators", [*PACKAGES, *EMULATORS])


def _root(name: str, packages: Sequence[str]) -> Toolchain:
    directory = store.entry(name, store.key_of(SUITE, *packages), lambda made: _make_root(made, name, packages),
                            gigabytes=GIGABYTES)
    return Toolchain(directory / "root", (directory / "ident").read_text())


def _make_root(directory: Path, name: str, packages: Sequence[str]) -> None:
    with step(f"installing the {name} root", CACHE / "log" / f"{name}.log") as log:
        root = directory / "root"
        try:
            run(mmdebstrap("--variant=apt", "--include=" + ",".join(packages), SUITE, root), log, "mmdebstrap")
        except Failure as failure:
            raise explained(failure) from failure
        tools = Toolchain(root, "")
        packages = tools.output(["dpkg-query", "-W", "rustc", "bindgen", "gcc-14", "clang-19", "lld-19"])
        (directory / "ident").write_text(store.key_of(packages))
