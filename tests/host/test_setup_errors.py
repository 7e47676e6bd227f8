# SPDX-License-Identifier: GPL-2.0-only
"""A failure of the set-up is one clear line; a kernel that the archive no longer has is replaced.
"""

import os
import re
import subprocess
from pathlib import Path

import pytest

from kalloc_dev.core.paths import TREE
from kalloc_dev.kernel import debian
from rust_kbuild.console import Failure


def refuses(says: str, *words: str, status: int = 1, **environment: str) -> None:
    """Checks that the last line of scripts/… with this environment contains this error."""
    done = subprocess.run([TREE / "scripts" / words[0], *words[1:]], env=os.environ | environment,
                          capture_output=True, text=True, check=False)
    last = done.stderr.splitlines()[-1]
    assert done.returncode == status and "error: " in last and says in last, \
        f"wanted '{says}': status {done.returncode}\n{done.stderr}"


class Archive:
    """An archive with these kernels, by version and revision, and without the source of some."""

    log = Path("/dev/null")

    def __init__(self, *there: str, headers_only: tuple[str, ...] = ()) -> None:
        self._sources = [f"{one}~bpo13+1" for one in there]
        self._headers = {self._release(one): f"{one}~bpo13+1" for one in (*there, *headers_only)}

    @staticmethod
    def _release(package: str) -> str:
        version, revision = package.split("-")
        return f"{version}+deb13{f'+{int(revision) - 1}' if revision != '1' else ''}-cloud-amd64"

    def names(self, pattern: str) -> list[str]:
        """Returns the headers packages, unordered."""
        every = [f"linux-headers-{release}" for release in self._headers]
        others = [name.replace("-cloud", kind) for name in every for kind in ("", "-rt")]
        return [name for name in (*others, *every) if re.fullmatch(pattern, name)]

    def versions(self, package: str) -> list[str]:
        """Returns the versions of a series' source, or of a kernel's headers."""
        if package.startswith("linux-headers-"):
            return [self._headers[package.removeprefix("linux-headers-")]]
        series = package.removeprefix("linux-source-") + "."
        return [version for version in self._sources if version.startswith(series)]


def chosen(*there: str, headers_only: tuple[str, ...] = ()) -> tuple[str, str]:
    """Returns the release and the packages' version that are chosen from an archive with these
    kernels.
    """
    archive = Archive(*there, headers_only=headers_only)
    release, package = debian._choose(archive, debian.CURRENT)  # type: ignore[arg-type]
    return release.removesuffix("-cloud-amd64"), package.removesuffix("~bpo13+1")


def test_newest_kernel_of_the_series() -> None:
    """The newest kernel of the newest supported series is chosen."""
    assert chosen("7.2.12-1", "7.3.4-1", "7.3.11-1") == ("7.3.4+deb13", "7.3.4-1")
    assert chosen("7.2.12-1", "7.3.9-1", "7.3.11-1", "7.4.1-1") == ("7.3.11+deb13", "7.3.11-1")
    assert chosen("7.1.3-1", "7.2.9-1", "7.2.12-1") == ("7.2.12+deb13", "7.2.12-1")


def test_revisions() -> None:
    """Later revisions of a package are releases of their own, and newer than the first."""
    assert chosen("7.3.5-1", "7.3.5-2") == ("7.3.5+deb13+1", "7.3.5-2")
    assert chosen("7.3.4-2", headers_only=("7.3.4-1",)) == ("7.3.4+deb13+1", "7.3.4-2")
    assert chosen("7.3.9-11", "7.3.9-10", "7.3.9-2") == ("7.3.9+deb13+10", "7.3.9-11")
    assert chosen("7.3.10-1", "7.3.9-3") == ("7.3.10+deb13", "7.3.10-1")
    assert chosen("7.2.12-2", headers_only=("7.3.5-1",)) == ("7.2.12+deb13+1", "7.2.12-2")


def test_no_kernel() -> None:
    """An archive with other series only is rejected."""
    with pytest.raises(Failure, match=re.escape("no Linux 7.3.y or 7.2.y")):
        chosen("7.1.3-1", "7.4.1-1")


def test_unreachable_mirror(tmp_path: Path) -> None:
    """scripts/vm has its own status for a guest that cannot be made."""
    refuses("the package mirror cannot be reached", "vm", "--", "true", status=125, KALLOC_TOOLCHAIN="root",
            KALLOC_CACHE=str(tmp_path), DEBIAN_MIRROR="http://127.0.0.1:9/debian")


def test_wrong_source(tmp_path: Path) -> None:
    """KSRC must be a source tree."""
    refuses("is not a Linux source tree", "kalloc", "setup", "debug", KSRC=str(tmp_path))


def test_mistakes() -> None:
    """Each error message is one line."""
    refuses("it is one of auto, host, root", "kalloc", "enter", "true", KALLOC_TOOLCHAIN="mine")
    refuses("/proc/nowhere", "kalloc", "setup", KALLOC_CACHE="/proc/nowhere")
    refuses("no kernel hurd", "kalloc", "setup", "hurd", status=2)
    refuses("usage:", "kalloc", "enter", status=2)
