# SPDX-License-Identifier: GPL-2.0-only
"""Packages from the distribution's signed archive, on a host of any release.

mmdebstrap has the mirror of the archive (or DEBIAN_MIRROR), its signing keys, and the setup of apt
for another release than the host's. These settings are read from it once; apt does the rest in a
directory of its own.
"""

import os
import re
import shutil
import subprocess
from functools import cache
from pathlib import Path

from kalloc_dev.core import sandbox, store
from kalloc_dev.core.paths import CACHE
from rust_kbuild.console import Failure, run, step

SUITE = "trixie"
LEAN = [
    "--aptopt=Acquire::Languages \"none\"",
    "--dpkgopt=force-unsafe-io",
    *(f"--dpkgopt=path-exclude=/usr/share/{name}/*" for name in ("doc", "man", "info", "locale")),
]
NO_NETWORK = re.compile(r"Could not (?:resolve|connect)|Temporary failure|Unable to connect|"
                        r"Network is unreachable|Connection (?:failed|timed out|refused)")


@cache
def _require_mmdebstrap() -> None:
    if shutil.which("mmdebstrap"):
        return
    if os.geteuid() != 0 or not shutil.which("apt-get"):
        raise Failure("no mmdebstrap: as root, apt-get install mmdebstrap uidmap")
    with store.lock(CACHE / "lock" / "mmdebstrap"):
        if not shutil.which("mmdebstrap"):
            _install_mmdebstrap()


def _install_mmdebstrap() -> None:
    with step("installing mmdebstrap on this host", CACHE / "log" / "mmdebstrap.log") as log:
        apt = ["apt-get", "-o", "Dpkg::Use-Pty=0", "-y", "--no-install-recommends"]
        run([*apt, "update"], log)
        run([*apt, "install", "mmdebstrap", "debian-archive-keyring"], log)


def mmdebstrap(*arguments: str | Path) -> list[str]:
    """Returns the call of mmdebstrap, with the mirror in DEBIAN_MIRROR if it is set."""
    _require_mmdebstrap()
    mirror = [mirror] if (mirror := os.environ.get("DEBIAN_MIRROR")) else []
    return sandbox.as_root(["mmdebstrap", "--mode=root", *LEAN, *map(str, arguments), *mirror])


class Archive:
    """The archive's newer kernels (backports), through an apt with its state in `directory`."""

    def __init__(self, directory: Path, log: Path) -> None:
        self.log = log
        apt = directory / "apt"
        # The first line of sources.list is the release itself: backports share its mirror and key.
        hook = (
            'cp "$MMDEBSTRAP_APT_CONFIG" "$1/apt.conf"; '
            f"sed -i -n '1s/ {SUITE} / {SUITE}-backports /p' \"$1/etc/apt/sources.list\""
        )
        run(mmdebstrap("--variant=custom", "--skip=update,cleanup/apt", f"--setup-hook={hook}", SUITE, apt), log, "mmdebstrap")
        # The _apt user may have no access to the directory: do not switch to that user.
        self._options = ["-c", str(apt / "apt.conf"), "-o", "APT::Sandbox::User=root"]
        self._apt("update", "-o", "APT::Update::Error-Mode=any")

    def names(self, pattern: str) -> list[str]:
        """Returns the packages whose whole name matches a regular expression."""
        return [name for name in self._ask("pkgnames").split() if re.fullmatch(pattern, name)]

    def versions(self, package: str) -> list[str]:
        """Returns the versions of a package, newest first."""
        return [line.split("|")[1].strip() for line in self._ask("madison", package).splitlines()]

    def download(self, packages: list[str], into: Path) -> None:
        """Downloads packages (name=version) as .deb files, whose signatures apt checks."""
        self._apt("download", *packages, cwd=into)

    def _ask(self, *question: str) -> str:
        done = subprocess.run(["apt-cache", *self._options, *question],
                              capture_output=True, text=True, check=False)
        return done.stdout

    def _apt(self, *command: str, cwd: Path | None = None) -> None:
        try:
            run(["apt-get", *self._options, *command], self.log, cwd=cwd)
        except Failure as failure:
            raise explained(failure) from failure


def explained(failure: Failure) -> Failure:
    """Returns the failure of a package tool, with a plain message if the network caused it."""
    if failure.log and NO_NETWORK.search(failure.log.read_text(errors="replace")):
        return Failure("the package mirror cannot be reached: check the network, "
                       "or set DEBIAN_MIRROR or http_proxy", failure.log)
    return failure
