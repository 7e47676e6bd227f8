# SPDX-License-Identifier: GPL-2.0
"""The architectures that guests have, and the tools that this takes.

x86 is the host's, and the toolchain has all of it. The compilers make kernels and modules for arm64 as well;
its QEMU, its busybox and a C library for its programs are in a small root folder of their own.
"""

from dataclasses import dataclass
from pathlib import Path

from kalloc_dev.core import store
from kalloc_dev.core.paths import CACHE
from kalloc_dev.toolchain.apt import SUITE, explained, mmdebstrap
from kalloc_dev.toolchain.compilers import Toolchain, toolchain
from rust_kbuild.console import Failure, run, step

PACKAGES = "busybox-static:arm64,gcc-aarch64-linux-gnu,libc6-dev-arm64-cross,make,qemu-system-arm"
GIGABYTES = 0.6


@dataclass(frozen=True)
class Arch:
    """An architecture: `name` is what the kernel's build system calls it, `machine` what its own uname -m says.

    QEMU boots `image`, a file in a build tree; `packed` is the same as boot loaders get it, if they do.
    """

    name: str
    machine: str
    image: str
    packed: str | None
    qemu: tuple[str, ...]
    processor: str
    append: str
    compiler: str

    def tools(self) -> Toolchain:
        """The root, or the host, that has its QEMU, its compiler for programs and its busybox."""
        return toolchain() if self is X86 else _cross()


# Without what makes copying byte by byte quick on real processors: emulated, it takes eight times as many steps as by words.
WITHOUT = "erms=off,fsrm=off,fsrs=off"
X86 = Arch("x86", "x86_64", "vmlinux", "arch/x86/boot/bzImage",
           ("qemu-system-x86_64", "-machine", "pc"), f"max,{WITHOUT},la57=off", "console=ttyS0 no_timer_check", "gcc")
ARM64 = Arch("arm64", "aarch64", "arch/arm64/boot/Image", None,
             ("qemu-system-aarch64", "-machine", "virt,gic-version=3,mte=on"), "max",
             "console=ttyAMA0", "aarch64-linux-gnu-gcc")


def _cross() -> Toolchain:
    folder = store.entry("cross", store.key_of(SUITE, PACKAGES), _make_root, gigabytes=GIGABYTES)
    return Toolchain(folder / "root", (folder / "ident").read_text())


def _make_root(folder: Path) -> None:
    with step("installing what boots arm64", CACHE / "log" / "cross.log") as log:
        root = folder / "root"
        try:
            run(mmdebstrap("--variant=apt", "--architectures=amd64,arm64", f"--include={PACKAGES}", SUITE, root),
                log, "mmdebstrap")
        except Failure as failure:
            raise explained(failure) from failure
        (folder / "ident").write_text(store.key_of(Toolchain(root, "").output(["dpkg-query", "-W"])))
