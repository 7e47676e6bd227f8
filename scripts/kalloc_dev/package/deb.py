# SPDX-License-Identifier: GPL-2.0
"""Debian packages, built and judged by lintian in a root folder of their own."""

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
# Without a network: nothing is fetched. Of what builds anything (build-essential), nothing is used.
BUILDS = ["unshare", "--net", "dpkg-buildpackage", "--no-check-builddeps", "--build=binary", "--unsigned-changes"]
GIGABYTES = 0.7
ENVIRONMENT = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "HOME": "/root", "LANG": "C.UTF-8"}


def build() -> list[Path]:
    """Builds the packages and leaves them in build/; fails if lintian warns of one."""
    # What the build of the packages takes as it is, left where it is found by who calls dpkg-buildpackage.
    brought = [*kalloctop.bring(), BUILD / "NOTICES"]
    brought[-1].write_text(notices())
    tools = root()
    # A copy: dpkg works in the folder that it builds from.
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


def _inside(tools: Path, argv: list[str], folder: Path, log: Path) -> None:
    run(sandbox.inside(tools, argv, folder, ENVIRONMENT, [BUILD]), log, argv[0] if argv[0] != "sh" else "lintian")


def root() -> Path:
    """The root folder of what builds packages."""
    folder = store.entry("packager", store.key_of(SUITE, PACKAGES), _make_root, gigabytes=GIGABYTES)
    return folder / "root"


def _make_root(folder: Path) -> None:
    with step("installing what builds packages", CACHE / "log" / "packager.log") as log:
        try:
            run(mmdebstrap("--variant=apt", f"--include={PACKAGES}", SUITE, folder / "root"), log, "mmdebstrap")
        except Failure as failure:
            raise explained(failure) from failure
