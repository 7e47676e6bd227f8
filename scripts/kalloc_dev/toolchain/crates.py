# SPDX-License-Identifier: GPL-2.0-only
"""Programs built by cargo and linked statically, so that a guest needs no other files for them.

The host's cargo builds them, with its own settings and its own cache of downloads, if it is new
enough. Otherwise the archive's newest cargo does, in a root directory of its own.
"""

import os
import re
import shutil
import subprocess
from collections.abc import Sequence
from functools import cache
from pathlib import Path

from kalloc_dev.core import paths, sandbox, store
from kalloc_dev.core.paths import CACHE
from kalloc_dev.toolchain.apt import SUITE, explained, mmdebstrap
from rust_kbuild.console import Failure, run, step

# The oldest compiler that can build all of them. It is newer than the kernels' compiler.
RUST = (1, 88)
TOOLS = ("cargo", "rustc", "cargo-clippy")
PACKAGES = "cargo,rust-clippy,gcc,libc6-dev,ca-certificates"
TARGET = "x86_64-unknown-linux-gnu"
FLAGS = {"RUSTFLAGS": "-C target-feature=+crt-static"}
ROOT_GIGABYTES = 1.3

# The files that a root directory needs to reach the registry.
NETWORK = ("/etc/resolv.conf", "/etc/hosts", "/etc/ssl/certs/ca-certificates.crt")


class Unreachable(Failure):
    """The failure to reach the crates registry, on which only optional parts depend."""


def cargo(words: Sequence[str], directory: Path, log: Path, env: dict[str, str], binds: Sequence[Path] = ()) -> None:
    """Runs cargo in `directory`. Raises Unreachable if it cannot download a crate."""
    argv = ["cargo", *words]
    if _host_serves():
        # In the caller's environment, which may configure a registry or a proxy.
        call = ["env", *(f"{name}={value}" for name, value in {**FLAGS, **env}.items()), *argv]
    else:
        passed = {name: value for name, value in os.environ.items() if re.fullmatch(r"\w+_proxy", name)}
        own = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "HOME": "/root", "CARGO_HOME": str(home())}
        call = sandbox.inside(_root() / "root", argv, directory, own | passed | FLAGS | env,
                              [_root(), directory, *binds, *map(Path, NETWORK)])
    # Only the output of this call shows the cause of a failure.
    said = log.stat().st_size if log.exists() else 0
    try:
        run(call, log, "cargo", cwd=directory)
    except Failure as failure:
        raise _plain(failure, said) from failure


@cache
def _host_serves() -> bool:
    """Returns whether the host has a new enough cargo and compiler, and a static C library."""
    if os.environ.get("KALLOC_TOOLCHAIN") == "root":
        return False
    for tool in TOOLS:
        found = re.search(r"(\d+)\.(\d+)", _printed(tool, "--version"))
        # Clippy's version is 0.1.N, with the N of the compiler's.
        if not found or (tool != "cargo-clippy" and tuple(map(int, found.groups())) < RUST):
            return False
    return Path(_printed("cc", "-print-file-name=libc.a").strip()).is_absolute()


def _printed(*argv: str) -> str:
    if not shutil.which(argv[0]):
        return ""
    return subprocess.run(argv, capture_output=True, text=True, check=False).stdout


def home() -> Path:
    """Returns the directory of the downloads."""
    return Path(os.environ.get("CARGO_HOME", paths.home() / ".cargo")) if _host_serves() else _root() / "home"


def _root() -> Path:
    """Returns the directory of the archive's newest cargo (`root`) and its downloads (`home`)."""
    return store.entry("cargo", store.key_of(SUITE, PACKAGES), _make_root, gigabytes=ROOT_GIGABYTES)


def _make_root(directory: Path) -> None:
    hook = f"sed -i '1{{p;s/ {SUITE} / {SUITE}-backports /}}' \"$1/etc/apt/sources.list\""
    with step("installing cargo", CACHE / "log" / "cargo.log") as log:
        (directory / "home").mkdir()
        try:
            run(mmdebstrap("--variant=apt", f"--setup-hook={hook}",
                           f'--aptopt=APT::Default-Release "{SUITE}-backports"',
                           f"--include={PACKAGES}", SUITE, directory / "root"), log, "mmdebstrap")
        except Failure as failure:
            raise explained(failure) from failure


def _plain(failure: Failure, said: int) -> Failure:
    text = failure.log.read_bytes()[said:].decode(errors="replace") if failure.log else ""
    if re.search(r"^error: (?:download of .* failed|failed to (?:download|get|fetch|query))", text, re.M):
        return Unreachable("the crates registry cannot be reached: check the network, or set https_proxy", failure.log)
    return failure
