# SPDX-License-Identifier: GPL-2.0-only
"""The source from which a distribution's kernel was built."""

import re
import subprocess
import tarfile
from dataclasses import dataclass
from pathlib import Path

from rust_kbuild.console import Failure, run

from .headers import Headers

# %s is the series, such as 7.3. First the packages of Debian, then the usual place of an unpacked
# source.
PLACES = ("/usr/src/linux-source-%s", "/usr/src/linux-source-%s.tar.xz", "/usr/src/linux-%s")
# Most of the source is drivers in C, and headers of one of them. The tree needs Kconfig and
# Makefile of all of them, and headers, as rust/bindings includes those of drivers/base.
LEFT_OUT = (*(f"{directory}/*.[cS]" for directory in ("drivers", "sound", "fs", "net", "samples")),
            "drivers/gpu/drm/amd/*.h", "arch/*.dts*", "Documentation/*/*", "tools/perf/*", "tools/testing/*")


@dataclass(frozen=True)
class Source:
    """A directory with the unpacked source of a kernel."""

    directory: Path

    @property
    def version(self) -> str:
        """Returns the version in its Makefile, such as 7.3.4."""
        text = (self.directory / "Makefile").read_text()
        part = {name: re.search(rf"^{name} *= *(\S*)$", text, re.M)
                for name in ("VERSION", "PATCHLEVEL", "SUBLEVEL", "EXTRAVERSION")}
        word = {name: match[1] if match else "" for name, match in part.items()}
        return f"{word['VERSION']}.{word['PATCHLEVEL']}.{word['SUBLEVEL']}{word['EXTRAVERSION']}"

    def check(self, headers: Headers) -> None:
        """Fails if a tree for these headers cannot be made from it."""
        if not (self.directory / "rust/kernel/lib.rs").exists():
            raise Failure(f"{self.directory} is not a Linux source tree with Rust in it")
        if not re.match(re.escape(self.version) + r"(?![\d.])", headers.release):
            raise Failure(f"the source in {self.directory} is of Linux {self.version}, "
                          f"the kernel is {headers.release}: the same version is needed")
        generated = self.directory / "arch" / headers.architecture / "include/generated"
        if any(path.exists() for path in (self.directory / ".config", self.directory / "include/config", generated)):
            raise Failure(f"{self.directory} has been built in: run make mrproper there, or unpack another")


def find(headers: Headers) -> Path:
    """Returns the path of the source in its default place, unpacked or not."""
    number = re.match(r"\d+\.\d+(?:\.\d+)?", headers.release)
    version = number[0] if number else headers.release
    series = ".".join(version.split(".")[:2])
    places = [Path(place % name) for name in dict.fromkeys((version, series)) for place in PLACES]
    for place in places:
        if place.exists():
            return place
    raise Failure(f"no source of Linux {version}: install linux-source-{series} (Debian), or name its directory "
                  "or tar file with --source")


def check_package(path: Path, headers: Headers) -> None:
    """Fails if dpkg has both packages, but they are from different builds of the kernel.

    No symbol would show the difference of a patch between these builds.
    """
    theirs, ours = (_package_version(file) for file in (headers.config, path))
    if theirs and ours and theirs != ours:
        raise Failure(f"{path} is of the package version {ours}, the headers are of {theirs}: "
                      "install the same version of both")


def _package_version(path: Path) -> str:
    """Returns the version of a path's source package, or an empty string if dpkg has none."""
    try:
        owner = subprocess.run(["dpkg-query", "-S", path], capture_output=True, text=True, check=False).stdout
        name = owner.partition(": ")[0]
        if not name or "," in name:
            return ""
        return subprocess.run(["dpkg-query", "-W", "-f", "${source:Version}", name],
                              capture_output=True, text=True, check=False).stdout
    except OSError:
        return ""


def unpack(archive: Path, directory: Path, log: Path) -> None:
    """Unpacks the files that a build tree needs from a source's tar file."""
    try:
        with archive.open("rb") as file, tarfile.open(fileobj=file, mode="r|*") as tar:
            first = tar.next()
    except tarfile.TarError as error:
        raise Failure(f"{archive} is not a tar file with a source in it") from error
    top = first.name.split("/")[0] if first else ""
    directory.mkdir()
    run(["tar", "-x", "-f", archive, "-C", directory, "--strip-components=1", "--no-same-owner", "--anchored",
         *(f"--exclude={top}/{pattern}" for pattern in LEFT_OUT)], log, "tar")
