# SPDX-License-Identifier: GPL-2.0-only
"""Programs that read /proc/slabinfo, for tests with /proc/kallocinfo.

Except for kalloctop, all are unmodified programs of other projects. Debian packages most of them.
One is a crate, built here from its release with the versions of its lock file. It is linked
statically, so a guest needs no other files for it.
"""

from functools import partial
from pathlib import Path

from kalloc_dev.core import process, store
from kalloc_dev.core.paths import CACHE
from kalloc_dev.guest.userland import userland
from kalloc_dev.package import kalloctop
from kalloc_dev.toolchain import crates
from kalloc_dev.toolchain.crates import Unreachable
from rust_kbuild.console import say, step

# Python drives them, with the archive's versions of the libraries that python_tools has for the host.
PACKAGES = ("mount", "procps", "prometheus-node-exporter", "python3-prometheus-client", "python3-pyte")

CRATE, VERSION = "procutils-slabtop", "0.2.0"
INSTALL = ("install", "--locked", "--debug", "--target", crates.TARGET, "--version", f"={VERSION}", CRATE)
FLAGS = {"CARGO_PROFILE_DEV_DEBUG": "0"}
GIGABYTES = 1.3


def slabtop() -> Path:
    """Returns the static slabtop in Rust. Raises Unreachable if it cannot be downloaded."""
    key = store.key_of("cargo", *INSTALL, *crates.FLAGS.values(), *FLAGS.values(), "1")
    return store.entry("slabtop", key, _make_slabtop, gigabytes=GIGABYTES) / "bin/slabtop"


# The functions that make the programs, independent of each other.
PARTS = (partial(userland, PACKAGES), slabtop, kalloctop.made)


def set_up() -> None:
    """Makes the programs for the guests: one is downloaded while the other is compiled."""
    with process.pool() as pool:
        parts = [pool.submit(part) for part in PARTS]
        for part in parts:
            try:
                part.result()
            except Unreachable as reason:
                say(f"    not all programs that read slabinfo can be tried: {reason} (log: {reason.log})")


def _make_slabtop(directory: Path) -> None:
    with step(f"building {CRATE} {VERSION} for guests", CACHE / "log" / "slabtop.log") as log:
        target = directory / "target"
        crates.cargo(INSTALL, directory, log,
                     {"CARGO_TARGET_DIR": str(target), "CARGO_INSTALL_ROOT": str(directory), **FLAGS})
        store.remove(target)
