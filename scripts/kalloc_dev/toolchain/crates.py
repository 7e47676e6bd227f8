# SPDX-License-Identifier: GPL-2.0
"""Programs made by cargo: linked statically, so that a guest needs nothing else for them.

The host's cargo makes them, with its own settings and its own cache of downloads, if it is new enough;
else the archive's newest, in a root folder of its own.
"""

import os
import re
import shutil
import subprocess
from collections.abc import Sequence
from functools import cache
from pathlib import Path

from kalloc_dev.core import sandbox, store
from kalloc_dev.core.paths import CACHE
from kalloc_dev.toolchain.apt import SUITE, explained, mmdebstrap
from rust_kbuild.console import Failure, run, step

# The oldest compiler that any of them takes; newer than the one that kernels are built with.
RUST = (1, 88)
TOOLS = ("cargo", "rustc", "cargo-clippy")
PACKAGES = "cargo,rust-clippy,gcc,libc6-dev,ca-certificates"
TARGET = "x86_64-unknown-linux-gnu"
FLAGS = {"RUSTFLAGS": "-C target-feature=+crt-static"}
ROOT_GIGABYTES = 1.3

# Without these a root folder cannot reach the registry as its host does.
NETWORK = ("/etc/resolv.conf", "/etc/hosts", "/etc/ssl/certs/ca-certificates.crt")


class Unreachable(Failure):
    """The crates registry cannot be reached; everything else comes from the archive."""


def cargo(words: Sequence[str], folder: Path, log: Path, env: dict[str, str], binds: Sequence[Path] = ()) -> None:
    """Runs cargo in `folder`. Unreachable if it cannot download what it needs."""
    argv = ["cargo", *words]
    if _host_serves():
        # In the person's own environment: it knows of a registry or a proxy that is to be used.
        call = ["env", *(f"{name}={value}" for name, value in {**FLAGS, **env}.items()), *argv]
    else:
        passed = {name: value for name, value in os.environ.items() if re.fullmatch(r"\w+_proxy", name)}
        own = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "HOME": "/root", "CARGO_HOME": str(home())}
        call = sandbox.inside(_root() / "root", argv, folder, own | passed | FLAGS | env,
                              [_root(), folder, *binds, *map(Path, NETWORK)])
    # Only what this call says tells why it failed.
    said = log.stat().st_size if log.exists() else 0
    try:
        run(call, log, "cargo", cwd=folder)
    except Failure as failure:
        raise _plain(failure, said) from failure


@cache
def _host_serves() -> bool:
    """Whether the host has a cargo and a compiler that are new enough, and a C library to link statically."""
    if os.environ.get("KALLOC_TOOLCHAIN") == "root":
        return False
    for tool in TOOLS:
        found = re.search(r"(\d+)\.(\d+)", _printed(tool, "--version"))
        # Clippy's own version is 0.1.N of the compiler's.
        if not found or (tool != "cargo-clippy" and tuple(map(int, found.groups())) < RUST):
            return False
    return Path(_printed("cc", "-print-file-name=libc.a").strip()).is_absolute()


def _printed(*argv: str) -> str:
    if not shutil.which(argv[0]):
        return ""
    return subprocess.run(argv, capture_output=True, text=True, check=False).stdout


def home() -> Path:
    """Where what is downloaded is kept."""
    return Path(os.environ.get("CARGO_HOME", Path.home() / ".cargo")) if _host_serves() else _root() / "home"


def _root() -> Path:
    """The folder with the archive's newest cargo in `root`, and what it downloads in `home`."""
    return store.entry("cargo", store.key_of(SUITE, PACKAGES), _make_root, gigabytes=ROOT_GIGABYTES)


def _make_root(folder: Path) -> None:
    hook = f"sed -i '1{{p;s/ {SUITE} / {SUITE}-backports /}}' \"$1/etc/apt/sources.list\""
    with step("installing cargo", CACHE / "log" / "cargo.log") as log:
        (folder / "home").mkdir()
        try:
            run(mmdebstrap("--variant=apt", f"--setup-hook={hook}",
                           f'--aptopt=APT::Default-Release "{SUITE}-backports"',
                           f"--include={PACKAGES}", SUITE, folder / "root"), log, "mmdebstrap")
        except Failure as failure:
            raise explained(failure) from failure


def _plain(failure: Failure, said: int) -> Failure:
    text = failure.log.read_bytes()[said:].decode(errors="replace") if failure.log else ""
    if re.search(r"^error: (?:download of .* failed|failed to (?:download|get|fetch|query))", text, re.M):
        return Unreachable("the crates registry cannot be reached: check the network, or set https_proxy", failure.log)
    return failure
