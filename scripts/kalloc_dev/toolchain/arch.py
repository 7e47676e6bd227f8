# SPDX-License-Identifier: GPL-2.0-only
"""The architectures of guests, and the tools for them.

x86 is the host's, and the toolchain has all its tools. The same compilers build kernels and modules
for arm64. Its QEMU, its busybox and a C library for its programs are in a small root directory of
their own.
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
    """An architecture.

    `name` is that of the kernel's build system, and `machine` that of uname -m. QEMU boots `image`,
    a file in a build tree; `packed` is the compressed image for boot loaders, if the architecture
    has one.
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
        """Returns the tools of the architecture: its QEMU, its compiler and its busybox."""
        return toolchain() if self is X86 else _cross()


# The fast string instructions copy byte by byte: emulated, they take eight times as many steps as
# copies by words.
WITHOUT = "erms=off,fsrm=off,fsrs=off"
X86 = Arch("x86", "x86_64", "vmlinux", "arch/x86/boot/bzImage",
           ("qemu-system-x86_64", "-machine", "pc"), f"max,{WITHOUT},la57=off", "console=ttyS0 no_timer_check", "gcc")
ARM64 = Arch("arm64", "aarch64", "arch/arm64/boot/Image", None,
             ("qemu-system-aarch64", "-machine", "virt,gic-version=3,mte=on"), "max",
             "console=ttyAMA0", "aarch64-linux-gnu-gcc")


def _cross() -> Toolchain:
    directory = store.entry("cross", store.key_of(SUITE, PACKAGES), _make_root, gigabytes=GIGABYTES)
    return Toolchain(directory / "root", (directory / "ident").read_text())


def _make_root(directory: Path) -> None:
    with step("installing what boots arm64", CACHE / "log" / "cross.log") as log:
        root = directory / "root"
        try:
            run(mmdebstrap("--variant=apt", "--architectures=amd64,arm64", f"--include={PACKAGES}", SUITE, root),
                log, "mmdebstrap")
        except Failure as failure:
            raise explained(failure) from failure
        (directory / "ident").write_text(store.key_of(Toolchain(root, "").output(["dpkg-query", "-W"])))
