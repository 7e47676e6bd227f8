# SPDX-License-Identifier: GPL-2.0-only
"""The userland of a guest: a busybox, or Debian with the requested packages (on x86).

Each is one initramfs, so no kernel needs a disk, a file system or a module to boot.
"""

from pathlib import Path

from kalloc_dev.core import store
from kalloc_dev.core.paths import CACHE
from kalloc_dev.guest.cpio import DIRECTORIES, MERGED, Archive
from kalloc_dev.toolchain.apt import SUITE, explained, mmdebstrap
from kalloc_dev.toolchain.arch import X86, Arch
from kalloc_dev.toolchain.compilers import Toolchain, toolchain
from rust_kbuild.console import Failure, run, step

PASSWD = b"root:x:0:0:root:/root:/bin/sh\nnobody:x:65534:65534:nobody:/:/bin/false\n"
GROUP = b"root:x:0:\nnogroup:x:65534:\n"
PROFILE = b"PS1='\\h:\\w# '\n"
# The packages that a Debian userland needs to load a module.
ALWAYS = ("kmod",)
GIGABYTES = 1.0


def userland(packages: tuple[str, ...], arch: Arch = X86) -> Path:
    """Returns the cpio archive of a userland."""
    tools = toolchain()
    if not packages:
        busybox = arch.tools()
        key = store.key_of(busybox.ident, "2")
        return store.entry("busybox", key, lambda directory: _make_busybox(directory, busybox)) / "cpio"
    wanted = sorted({*packages, *ALWAYS})
    key = store.key_of(SUITE, *wanted, "1")
    return store.entry("userland", key, lambda directory: _make_debian(directory, wanted, tools),
                       gigabytes=GIGABYTES) / "cpio"


def _make_busybox(directory: Path, tools: Toolchain) -> None:
    program = tools.program("busybox").read_bytes()
    # The applets are the same for each architecture: its busybox comes from the same package.
    applets = toolchain().output(["busybox", "--list-full"]).split()
    with (directory / "cpio").open("wb") as out, Archive(out) as archive:
        for name in DIRECTORIES:
            if name in MERGED:
                archive.link(name, f"usr/{name}")
            else:
                archive.directory(name)
        _add_private(archive, program)
        for applet in applets:
            archive.link(applet, "/.vm/busybox")
        archive.file("etc/passwd", PASSWD)
        archive.file("etc/group", GROUP)
        archive.file("etc/profile", PROFILE)


def _make_debian(directory: Path, packages: list[str], tools: Toolchain) -> None:
    with step(f"installing {' '.join(packages)} for guests", CACHE / "log" / f"{directory.name}.log") as log:
        tar = directory / "root.tar"
        try:
            run(mmdebstrap("--variant=essential", "--include=" + ",".join(packages), SUITE, tar), log, "mmdebstrap")
        except Failure as failure:
            if "Unable to locate package" in log.read_text(errors="replace"):
                raise Failure(f"{SUITE} lacks one of the packages {' '.join(packages)}", log) from failure
            raise explained(failure) from failure
        with (directory / "cpio").open("wb") as out, Archive(out) as archive:
            archive.tar(tar)
            _add_private(archive, tools.program("busybox").read_bytes())
        tar.unlink()


def _add_private(archive: Archive, busybox: bytes) -> None:
    """Adds the files of the guest's first process, in a directory that no package uses."""
    archive.directory(".vm", 0o700)
    archive.file(".vm/busybox", busybox, 0o755)
