# SPDX-License-Identifier: GPL-2.0
"""Programs that read /proc/slabinfo, to be tried on our file: none of them is ours, and none is changed.

Debian packages most of them. One is a crate, built here as its author released it, with the
versions of its own lock file, and linked statically: a guest needs nothing else for it.
"""

import os
import re
import shutil
import subprocess
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

from . import cache as store
from . import sandbox
from .archive import SUITE, explained, mmdebstrap
from .paths import CACHE
from .say import Failure, run, say, step
from .userland import userland

# Python drives them.
PACKAGES = ("mount", "procps", "prometheus-node-exporter", "python3-minimal")

CRATE, VERSION = "procutils-slabtop", "0.2.0"
# The oldest compiler that it takes; newer than the one that kernels are built with.
RUST = (1, 88)
TARGET = "x86_64-unknown-linux-gnu"
INSTALL = ("cargo", "install", "--locked", "--debug", "--target", TARGET, "--version", f"={VERSION}", CRATE)
FLAGS = {"RUSTFLAGS": "-C target-feature=+crt-static", "CARGO_PROFILE_DEV_DEBUG": "0"}
GIGABYTES = 1.3

# Without these a root folder cannot reach the registry as its host does.
NETWORK = ("/etc/resolv.conf", "/etc/hosts", "/etc/ssl/certs/ca-certificates.crt")


class Unreachable(Failure):
    """The crates registry cannot be reached; everything else comes from the archive."""


def slabtop() -> Path:
    """The slabtop that is written in Rust: a static program. Unreachable if it cannot be had."""
    key = store.key_of(*INSTALL, *FLAGS.values(), "1")
    return store.entry("slabtop", key, _make_slabtop, gigabytes=GIGABYTES) / "bin/slabtop"


# What makes them, each for itself.
PARTS = (partial(userland, PACKAGES), slabtop)


def set_up() -> None:
    """Makes what the guests of these programs need: one is downloaded while the other is compiled."""
    with ThreadPoolExecutor() as pool:
        parts = [pool.submit(part) for part in PARTS]
        for part in parts:
            try:
                part.result()
            except Unreachable as reason:
                say(f"    not all programs that read slabinfo can be tried: {reason} (log: {reason.log})")


def _host_serves() -> bool:
    """Whether the host has a cargo and a compiler that are new enough, and a C library to link statically."""
    if os.environ.get("KALLOC_TOOLCHAIN") == "root":
        return False
    for tool in ("cargo", "rustc"):
        found = re.search(r"(\d+)\.(\d+)", _printed(tool, "--version"))
        if not found or tuple(map(int, found.groups())) < RUST:
            return False
    return Path(_printed("cc", "-print-file-name=libc.a").strip()).is_absolute()


def _printed(*argv: str) -> str:
    if not shutil.which(argv[0]):
        return ""
    return subprocess.run(argv, capture_output=True, text=True, check=False).stdout


def _make_slabtop(folder: Path) -> None:
    with step(f"building {CRATE} {VERSION} for guests", CACHE / "log" / "slabtop.log") as log:
        made = {"CARGO_TARGET_DIR": str(folder / "target"), "CARGO_INSTALL_ROOT": str(folder), **FLAGS}
        if _host_serves():
            # In the person's own environment: it knows of a registry or a proxy that is to be used.
            argv = ["env", *(f"{name}={value}" for name, value in made.items()), *INSTALL]
        else:
            argv = _in_a_root(folder, made, log)
        try:
            run(argv, log, "cargo", cwd=folder)
        except Failure as failure:
            raise _plain(failure) from failure
        for left in ("target", "home", "root"):
            if (folder / left).exists():
                store.remove(folder / left)


def _in_a_root(folder: Path, made: dict[str, str], log: Path) -> list[str]:
    """The call with the archive's newest cargo, in a root folder that is needed only once."""
    root = folder / "root"
    hook = f"sed -i '1{{p;s/ {SUITE} / {SUITE}-backports /}}' \"$1/etc/apt/sources.list\""
    try:
        run(mmdebstrap("--variant=apt", f"--setup-hook={hook}",
                       f'--aptopt=APT::Default-Release "{SUITE}-backports"',
                       "--include=cargo,gcc,libc6-dev,ca-certificates", SUITE, root), log, "mmdebstrap")
    except Failure as failure:
        raise explained(failure) from failure
    passed = {name: value for name, value in os.environ.items() if re.fullmatch(r"\w+_proxy", name)}
    env = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "HOME": "/root", "CARGO_HOME": str(folder / "home")}
    return sandbox.inside(root, INSTALL, folder, env | passed | made, [folder, *map(Path, NETWORK)])


def _plain(failure: Failure) -> Failure:
    text = failure.log.read_text(errors="replace") if failure.log else ""
    if re.search(r"^error: (?:download of .* failed|failed to (?:download|get|fetch|query))", text, re.M):
        return Unreachable("the crates registry cannot be reached: check the network, or set https_proxy", failure.log)
    return failure
