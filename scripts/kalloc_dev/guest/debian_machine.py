# SPDX-License-Identifier: GPL-2.0
"""A machine to install packages on: Debian with backports and the stock kernel's headers, as a new user has it.

Its root folder is made once. What is done in it goes to a layer on top, which is thrown away.
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

# Headers as they are installed to build modules; modules, to see that they get along.
PACKAGES = ("linux-headers-{}", "linux-modules-{}")
GIGABYTES = 1.0
LAYER = BUILD / "machine"

# $1 is the root folder, $2 the layer's, $3 a folder that is /mnt in it; then the command.
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
    """Runs a shell script on a fresh machine, with `shared` at /mnt; what it leaves elsewhere is gone then."""
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
    """The root folder of the machine as it is before anything is done on it."""
    release = kernel("stock").release
    packages = ",".join(name.format(release) for name in PACKAGES)
    folder = store.entry("machine", store.key_of(SUITE, packages, "1"), lambda folder: _make(folder, packages),
                         gigabytes=GIGABYTES)
    return folder / "root"


def _make(folder: Path, packages: str) -> None:
    backports = f"sed -i '1{{p;s/ {SUITE} / {SUITE}-backports /}}' \"$1/etc/apt/sources.list\""
    with step("installing a machine", CACHE / "log" / "machine.log") as log:
        try:
            # Not without its documentation, as other roots are: a package's files are counted here.
            run(mmdebstrap("--variant=apt", f"--setup-hook={backports}", f"--include={packages}", SUITE, folder / "root"),
                log, "mmdebstrap")
        except Failure as failure:
            raise explained(failure) from failure
    shutil.rmtree(folder / "root/var/lib/apt/lists", ignore_errors=True)
