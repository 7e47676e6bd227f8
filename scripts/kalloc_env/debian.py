# SPDX-License-Identifier: GPL-2.0
"""Debian's kernels, as packages bring them: the source of a version, its binary and its headers."""

import lzma
import re
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

from . import cache as store
from .archive import Archive
from .paths import CACHE
from .say import Failure, run, say, step

FLAVOUR = "+deb13-cloud-amd64"
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
    """The kernel's version and its packages', of those that the archive has."""
    if linux.package in archive.versions(f"linux-source-{linux.series[0]}"):
        return linux.version, linux.package
    for series in linux.series:
        pattern = rf"linux-headers-({re.escape(series)}\.\d+){re.escape(FLAVOUR)}"
        there = sorted((re.fullmatch(pattern, name)[1] for name in archive.names(pattern)),  # type: ignore[index]
                       key=lambda version: int(version.rsplit(".", 1)[1]), reverse=True)
        packaged = archive.versions(f"linux-source-{series}")
        for version in there:
            for package in packaged:
                if package.startswith(f"{version}-"):
                    say(f"    the archive has dropped Linux {linux.version}: using {version}, untested")
                    return version, package
    raise Failure(f"the archive has no Linux {' or '.join(f'{series}.y' for series in linux.series)} "
                  f"for {FLAVOUR} any more: update {Path(__file__).name}", archive.log)


def _get(folder: Path, linux: Linux) -> None:
    series = linux.series[0]
    with step(f"getting Debian's Linux {series} and its source", CACHE / "log" / f"debian-{series}.log") as log:
        archive = Archive(folder, log)
        version, package = _choose(archive, linux)
        series = version.rsplit(".", 1)[0]
        release = version + FLAVOUR
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
    return store.entry("debian", store.key_of(same.name, flavour, "1"),
                       lambda folder: _get_flavour(folder, (same / "release").read_text(), flavour))


def _get_flavour(folder: Path, same: str, flavour: str) -> None:
    release = same.removesuffix(FLAVOUR) + flavour
    with step(f"getting Debian's Linux {release}", CACHE / "log" / f"debian{flavour}.log") as log:
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
