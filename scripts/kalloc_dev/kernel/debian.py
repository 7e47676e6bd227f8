# SPDX-License-Identifier: GPL-2.0-only
"""Debian's kernels, from packages: the source of a version, its binary and its headers."""

import lzma
import re
import shutil
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from kalloc_dev.core import store
from kalloc_dev.core.paths import CACHE
from kalloc_dev.toolchain.apt import Archive
from rust_kbuild.console import Failure, run, say, step

# A release is the version, DEBIAN (with +1 for the second revision of the package and so on), and
# the flavor.
DEBIAN, FLAVOUR = "+deb13", "-cloud-amd64"
GIGABYTES = 2.4


@dataclass(frozen=True)
class Linux:
    """A version of Linux: the tested one, and the series that replace it in the archive later."""

    version: str
    package: str
    series: tuple[str, ...]


CURRENT = Linux("7.3.4", "7.3.4-1~bpo13+1", ("7.3", "7.2"))
OLDER = Linux("7.2.12", "7.2.12-1~bpo13+1", ("7.2",))


def debian(linux: Linux = CURRENT) -> Path:
    """Returns the directory of Debian's source, headers and binary of one version, unpacked.

    The directory has linux/ (the source), config, Module.symvers, vmlinuz and release.
    """
    return store.entry("debian", store.key_of(linux.version, linux.package, "1"),
                       lambda directory: _get(directory, linux), gigabytes=GIGABYTES)


def _choose(archive: Archive, linux: Linux) -> tuple[str, str]:
    """Returns the release and its packages' version: the tested one, or the archive's newest."""
    for series in linux.series:
        there = list(_packaged(archive, series))
        if tested := [one for one in there if one[1] == linux.package]:
            return tested[0]
        if there:
            say(f"    the archive has dropped Linux {linux.package}: using {there[0][1]}, untested")
            return there[0]
    raise Failure(f"the archive has no Linux {' or '.join(f'{series}.y' for series in linux.series)} "
                  f"for {FLAVOUR} any more: update {Path(__file__).name}", archive.log)


def _packaged(archive: Archive, series: str) -> Iterator[tuple[str, str]]:
    """Returns the releases with headers in the archive, and their packages' versions, newest first.

    The source must be in the archive as well.
    """
    pattern = rf"linux-headers-({re.escape(series)}\.(\d+){re.escape(DEBIAN)}(?:\+(\d+))?{re.escape(FLAVOUR)})"
    found = [match for name in archive.names(pattern) if (match := re.fullmatch(pattern, name))]
    sources = archive.versions(f"linux-source-{series}")
    for match in sorted(found, key=lambda match: (int(match[2]), int(match[3] or 0)), reverse=True):
        yield from ((match[1], package) for package in archive.versions(match[0]) if package in sources)


def _get(directory: Path, linux: Linux) -> None:
    series = linux.series[0]
    with step(f"getting Debian's Linux {series} and its source", CACHE / "log" / f"debian-{series}.log") as log:
        archive = Archive(directory, log)
        release, package = _choose(archive, linux)
        series = ".".join(release.split(".")[:2])
        names = [f"linux-source-{series}", f"linux-headers-{release}", f"linux-binary-{release}"]
        debs = directory / "debs"
        debs.mkdir()
        archive.download([f"{name}={package}" for name in names], debs)
        for deb in debs.iterdir():
            run(["dpkg-deb", "-x", deb, directory / "x"], log)
        x = directory / "x" / "usr"
        _keep(x, release, directory)
        _unpack(x / f"src/linux-source-{series}.tar.xz", directory / "linux", log)
        for used in ("apt", "debs", "x"):
            shutil.rmtree(directory / used)


def modules(linux: Linux = CURRENT) -> Path:
    """Returns the directory of Debian's own modules of the kernel of :func:`debian`, with the layout of lib/modules/RELEASE."""
    same = debian(linux)
    return store.entry("modules", store.key_of(same.name, "1"),
                       lambda directory: _get_modules(directory, (same / "release").read_text()), gigabytes=0.3)


def _get_modules(directory: Path, release: str) -> None:
    with step(f"getting Debian's modules of Linux {release}", CACHE / "log" / "debian-modules.log") as log:
        archive = Archive(directory, log)
        archive.download([f"linux-modules-{release}"], directory)
        for deb in directory.glob("*.deb"):
            run(["dpkg-deb", "-x", deb, directory / "x"], log)
            deb.unlink()
        shutil.move(directory / f"x/usr/lib/modules/{release}/kernel", directory)
        for used in ("apt", "x"):
            shutil.rmtree(directory / used)


def flavoured(linux: Linux, flavour: str) -> Path:
    """Returns the directory of the headers and the binary of another flavor of the same source.

    The directory has config, Module.symvers, vmlinuz and release.
    """
    same = debian(linux)
    return store.entry("debian", store.key_of(same.name, DEBIAN + flavour, "1"),
                       lambda directory: _get_flavour(directory, (same / "release").read_text(), flavour))


def _get_flavour(directory: Path, same: str, flavour: str) -> None:
    release = same.removesuffix(FLAVOUR) + flavour
    with step(f"getting Debian's Linux {release}", CACHE / "log" / f"debian{DEBIAN}{flavour}.log") as log:
        archive = Archive(directory, log)
        archive.download([f"linux-headers-{release}", f"linux-binary-{release}"], directory)
        for deb in directory.glob("*.deb"):
            run(["dpkg-deb", "-x", deb, directory / "x"], log)
            deb.unlink()
        _keep(directory / "x" / "usr", release, directory)
        for used in ("apt", "x"):
            shutil.rmtree(directory / used)


def _keep(x: Path, release: str, directory: Path) -> None:
    """Keeps the files of the unpacked packages that other parts use."""
    (directory / "release").write_text(release)
    for name in (".config", "Module.symvers"):
        shutil.copy(x / f"src/linux-headers-{release}" / name, directory / name.lstrip("."))
    shutil.copy(x / f"lib/modules/{release}/vmlinuz", directory)


def _unpack(archive: Path, directory: Path, log: Path) -> None:
    """Unpacks a .tar.xz by Python's library, because the host may lack xz."""
    directory.mkdir()
    tar = ["tar", "-x", "--strip-components=1", "--no-same-owner", "-C", str(directory)]
    with lzma.open(archive) as plain, log.open("ab") as out:
        with subprocess.Popen(tar, stdin=subprocess.PIPE, stdout=out, stderr=out) as process:
            assert process.stdin
            shutil.copyfileobj(plain, process.stdin, 1 << 20)
            process.stdin.close()
    if process.returncode:
        raise Failure(f"{archive.name} cannot be unpacked", log)
