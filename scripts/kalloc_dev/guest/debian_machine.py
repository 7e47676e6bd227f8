# SPDX-License-Identifier: GPL-2.0-only
"""A machine for package tests: Debian with backports and the headers of the stock kernel.

Its root directory is made once. Each session works on a layer on top of it, which is removed at the
end.
"""

import shutil
from collections.abc import Sequence
from pathlib import Path

from kalloc_dev.core import store
from kalloc_dev.core.paths import BUILD, CACHE
from kalloc_dev.core.sandbox import as_root
from kalloc_dev.kernel.build import kernel
from kalloc_dev.toolchain.apt import SUITE, explained, mmdebstrap
from rust_kbuild.console import Failure, run, step

# The headers, as users install them to build modules, and the modules, which must coexist with the
# project's.
PACKAGES = ("linux-headers-{}", "linux-modules-{}")
GIGABYTES = 1.0
LAYER = BUILD / "machine"

# $1 is the root directory, $2 the directory of the layer, and $3 a directory that is mounted at
# /mnt. The command follows.
ENTER = r"""
set -eu
base=$1 layer=$2 shared=$3; shift 3
mkdir -p "$layer/upper" "$layer/work" "$layer/root"
mount -t overlay -o "lowerdir=$base,upperdir=$layer/upper,workdir=$layer/work" machine "$layer/root"
cd "$layer/root"
mount --rbind /dev dev
mount --rbind /sys sys
mount -t proc proc proc
mount --bind "$shared" mnt
for file in /etc/resolv.conf /etc/hosts; do cat $file >.$file; done
exec chroot . /usr/bin/env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LANG=C.UTF-8 \
    DEBIAN_FRONTEND=noninteractive "$@"
"""


def session(script: str, shared: Path, log: Path) -> None:
    """Runs a shell script on a fresh machine with `shared` at /mnt; other changes are discarded."""
    base = root()
    _forget()
    LAYER.mkdir(parents=True)
    argv: Sequence[str] = ["sh", "-c", ENTER, "enter", str(base), str(LAYER), str(shared), "sh", "-eu", "-c", script]
    try:
        run(as_root(argv), log, "the session")
    finally:
        _forget()


def _forget() -> None:
    if LAYER.exists():
        store.remove(LAYER)


def root() -> Path:
    """Returns the root directory of the unchanged machine."""
    release = kernel("stock").release
    packages = ",".join(name.format(release) for name in PACKAGES)
    directory = store.entry("machine", store.key_of(SUITE, packages, "1"), lambda directory: _make(directory, packages),
                            gigabytes=GIGABYTES)
    return directory / "root"


def _make(directory: Path, packages: str) -> None:
    backports = f"sed -i '1{{p;s/ {SUITE} / {SUITE}-backports /}}' \"$1/etc/apt/sources.list\""
    with step("installing a machine", CACHE / "log" / "machine.log") as log:
        try:
            # With the documentation, unlike other roots: the tests compare the files of packages.
            run(mmdebstrap("--variant=apt", f"--setup-hook={backports}", f"--include={packages}", SUITE, directory / "root"),
                log, "mmdebstrap")
        except Failure as failure:
            raise explained(failure) from failure
    shutil.rmtree(directory / "root/var/lib/apt/lists", ignore_errors=True)
