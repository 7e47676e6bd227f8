# SPDX-License-Identifier: GPL-2.0
"""Debian's kernels, as packages bring them: the source of a version, its binary and its headers."""

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

# A release is the version, DEBIAN, +1 for the package's second revision and so on, and the flavour.
DEBIAN, FLAVOUR = "+deb13", "-cloud-amd64"
GIGABYTES = 2.4


@dataclass(frozen=True)
class Linux:
    """A version of Linux: the one that was tested, and the series that do when the archive has dropped it."""

    version: str
    package: str
    series: tuple[str, ...]


CURRENT = Linux("7.3.4", "7.3.4-1~bpo13+1", ("7.3", "7.2"))
OLDER = Linux("7.2.12", "7.2.12-1~bpo13+1", ("7.2",))


def debian(linux: Linux = CURRENT) -> Path:
    """Debian's source, headers and binary of one version, unpacked.

    The folder has linux/ (the source), config, Module.symvers, vmlinuz and release.
    """
    return store.entry("debian", store.key_of(linux.version, linux.package, "1"),
                       lambda folder: _get(folder, linux), gigabytes=GIGABYTES)


def _choose(archive: Archive, linux: Linux) -> tuple[str, str]:
    """The release and its packages' version: the one that was tested, or the newest that the archive has."""
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
    """The releases that the archive has headers of, with their packages' version, if it has that source; newest first."""
    pattern = rf"linux-headers-({re.escape(series)}\.(\d+){re.escape(DEBIAN)}(?:\+(\d+))?{re.escape(FLAVOUR)})"
    found = [match for name in archive.names(pattern) if (match := re.fullmatch(pattern, name))]
    sources = archive.versions(f"linux-source-{series}")
    for match in sorted(found, key=lambda match: (int(match[2]), int(match[3] or 0)), reverse=True):
        yield from ((match[1], package) for package in archive.versions(match[0]) if package in sources)


def _get(folder: Path, linux: Linux) -> None:
    series = linux.series[0]
    with step(f"getting Debian's Linux {series} and its source", CACHE / "log" / f"debian-{series}.log") as log:
        archive = Archive(folder, log)
        release, package = _choose(archive, linux)
        series = ".".join(release.split(".")[:2])
        names = [f"linux-source-{series}", f"linux-headers-{release}", f"linux-binary-{release}"]
        debs = folder / "debs"
        debs.mkdir()
        archive.download([f"{name}={package}" for name in names], debs)
        for deb in debs.iterdir():
            run(["dpkg-deb", "-x", deb, folder / "x"], log)
        x = folder / "x" / "usr"
        _keep(x, release, folder)
        _unpack(x / f"src/linux-source-{series}.tar.xz", folder / "linux", log)
        for used in ("apt", "debs", "x"):
            shutil.rmtree(folder / used)


def flavoured(linux: Linux, flavour: str) -> Path:
    """The headers and the binary of another flavour, built from the source that debian() has.

    The folder has config, Module.symvers, vmlinuz and release.
    """
    same = debian(linux)
    return store.entry("debian", store.key_of(same.name, DEBIAN + flavour, "1"),
                       lambda folder: _get_flavour(folder, (same / "release").read_text(), flavour))


def _get_flavour(folder: Path, same: str, flavour: str) -> None:
    release = same.removesuffix(FLAVOUR) + flavour
    with step(f"getting Debian's Linux {release}", CACHE / "log" / f"debian{DEBIAN}{flavour}.log") as log:
        archive = Archive(folder, log)
        archive.download([f"linux-headers-{release}", f"linux-binary-{release}"], folder)
        for deb in folder.glob("*.deb"):
            run(["dpkg-deb", "-x", deb, folder / "x"], log)
            deb.unlink()
        _keep(folder / "x" / "usr", release, folder)
        for used in ("apt", "x"):
            shutil.rmtree(folder / used)


def _keep(x: Path, release: str, folder: Path) -> None:
    """What the unpacked packages have and others use."""
    (folder / "release").write_text(release)
    for name in (".config", "Module.symvers"):
        shutil.copy(x / f"src/linux-headers-{release}" / name, folder / name.lstrip("."))
    shutil.copy(x / f"lib/modules/{release}/vmlinuz", folder)


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
