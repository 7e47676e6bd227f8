# SPDX-License-Identifier: GPL-2.0-only
"""Debian packages, built and checked by lintian in a root directory of their own."""

import shutil
from pathlib import Path

from kalloc_dev.core import sandbox, store
from kalloc_dev.core.git import files
from kalloc_dev.core.paths import BUILD, CACHE, LOGS, TREE
from kalloc_dev.package import kalloctop
from kalloc_dev.package.notices import notices
from kalloc_dev.toolchain.apt import SUITE, explained, mmdebstrap
from rust_kbuild.console import Failure, run, step

PACKAGES = "debhelper,dh-dkms,dpkg-dev,lintian,python3-docutils"
# Without a network, so that nothing is downloaded, and without compilers (build-essential).
BUILDS = ["unshare", "--net", "dpkg-buildpackage", "--no-check-builddeps", "--build=binary", "--unsigned-changes"]
GIGABYTES = 0.7
ENVIRONMENT = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "HOME": "/root", "LANG": "C.UTF-8"}


def build() -> list[Path]:
    """Builds the packages, and leaves them in build/; fails on a warning of lintian."""
    # The prebuilt files, in the place where a direct call of dpkg-buildpackage finds them.
    brought = [*kalloctop.bring(), BUILD / "NOTICES"]
    brought[-1].write_text(notices())
    tools = root()
    # A copy, because dpkg writes to the directory that it builds.
    work = BUILD / "deb"
    shutil.rmtree(work, ignore_errors=True)
    source = work / "kalloc"
    for path in files():
        copy = source / path.relative_to(TREE)
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, copy)
    for path in brought:
        copy = source / path.relative_to(TREE)
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, copy)
    with step("building the packages", LOGS / "deb.log") as log:
        _inside(tools, BUILDS, source, log)
        _inside(tools, ["sh", "-euc", "lintian --allow-root --info --display-info --fail-on error,warning *.changes"], work, log)
    made = []
    for deb in sorted(work.glob("*.deb")):
        made.append(BUILD / deb.name)
        shutil.copy(deb, made[-1])
    return made


def _inside(tools: Path, argv: list[str], directory: Path, log: Path) -> None:
    run(sandbox.inside(tools, argv, directory, ENVIRONMENT, [BUILD]), log, argv[0] if argv[0] != "sh" else "lintian")


def root() -> Path:
    """Returns the root directory with the packaging tools."""
    directory = store.entry("packager", store.key_of(SUITE, PACKAGES), _make_root, gigabytes=GIGABYTES)
    return directory / "root"


def _make_root(directory: Path) -> None:
    with step("installing what builds packages", CACHE / "log" / "packager.log") as log:
        try:
            run(mmdebstrap("--variant=apt", f"--include={PACKAGES}", SUITE, directory / "root"), log, "mmdebstrap")
        except Failure as failure:
            raise explained(failure) from failure
