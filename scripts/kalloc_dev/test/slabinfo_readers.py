# SPDX-License-Identifier: GPL-2.0
"""Programs that read /proc/slabinfo, to be tried on our file: but for kalloctop none is ours, and none is changed.

Debian packages most of the others. One is a crate, built here as its author released it, with the
versions of its own lock file, and linked statically: a guest needs nothing else for it.
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

# Python drives them.
PACKAGES = ("mount", "procps", "prometheus-node-exporter", "python3-minimal")

CRATE, VERSION = "procutils-slabtop", "0.2.0"
INSTALL = ("install", "--locked", "--debug", "--target", crates.TARGET, "--version", f"={VERSION}", CRATE)
FLAGS = {"CARGO_PROFILE_DEV_DEBUG": "0"}
GIGABYTES = 1.3


def slabtop() -> Path:
    """The slabtop that is written in Rust: a static program. Unreachable if it cannot be had."""
    key = store.key_of("cargo", *INSTALL, *crates.FLAGS.values(), *FLAGS.values(), "1")
    return store.entry("slabtop", key, _make_slabtop, gigabytes=GIGABYTES) / "bin/slabtop"


# What makes them, each for itself.
PARTS = (partial(userland, PACKAGES), slabtop, kalloctop.made)


def set_up() -> None:
    """Makes what the guests of these programs need: one is downloaded while the other is compiled."""
    with process.pool() as pool:
        parts = [pool.submit(part) for part in PARTS]
        for part in parts:
            try:
                part.result()
            except Unreachable as reason:
                say(f"    not all programs that read slabinfo can be tried: {reason} (log: {reason.log})")


def _make_slabtop(folder: Path) -> None:
    with step(f"building {CRATE} {VERSION} for guests", CACHE / "log" / "slabtop.log") as log:
        target = folder / "target"
        crates.cargo(INSTALL, folder, log,
                     {"CARGO_TARGET_DIR": str(target), "CARGO_INSTALL_ROOT": str(folder), **FLAGS})
        store.remove(target)
