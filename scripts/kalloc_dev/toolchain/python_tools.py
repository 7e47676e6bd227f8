# SPDX-License-Identifier: GPL-2.0-only
"""The Python tools: pytest, the tests' libraries pyte and prometheus_client, and the linters mypy, reuse and ruff.

All but ruff are packages of the archive, in a root directory of their own. pytest and the
libraries are pure Python: the host's interpreter imports them from that root, because the tests use
the host's programs. ruff comes from PyPI, which may be unreachable.
"""

import os
import re
from collections.abc import Sequence
from pathlib import Path

from kalloc_dev.core import sandbox, store
from kalloc_dev.core.paths import CACHE, TREE
from kalloc_dev.toolchain.apt import SUITE, explained, mmdebstrap
from kalloc_dev.toolchain.crates import NETWORK, Unreachable
from rust_kbuild.console import Failure, run, step

PACKAGES = "git,mypy,python3-pip,python3-prometheus-client,python3-pyte,python3-pytest,reuse"
RUFF = "ruff==0.14.6"
GIGABYTES = 0.5
ENVIRONMENT = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "HOME": "/root", "LANG": "C.UTF-8"}


def root() -> Path:
    """Returns the root directory with the archive's tools, made first if it is missing."""
    return store.entry("pytools", store.key_of(SUITE, PACKAGES), _make_root, gigabytes=GIGABYTES) / "root"


def pytest_path() -> Path:
    """Returns the directory that PYTHONPATH names for pytest."""
    return root() / "usr/lib/python3/dist-packages"


def call(argv: Sequence[str | Path], binds: Sequence[Path] = ()) -> list[str]:
    """Returns the call that runs one of the archive's tools on this tree."""
    return sandbox.inside(root(), [str(word) for word in argv], TREE, ENVIRONMENT, [TREE, *binds])


def ruff() -> Path:
    """Returns the ruff program. Raises Unreachable if it cannot be downloaded."""
    return store.entry("ruff", store.key_of(RUFF), _make_ruff, gigabytes=0.1) / "bin/ruff"


def _make_root(directory: Path) -> None:
    with step("installing the Python tools", CACHE / "log" / "pytools.log") as log:
        try:
            run(mmdebstrap("--variant=apt", f"--include={PACKAGES}", SUITE, directory / "root"), log, "mmdebstrap")
        except Failure as failure:
            raise explained(failure) from failure


def _make_ruff(directory: Path) -> None:
    passed = {name: value for name, value in os.environ.items() if re.fullmatch(r"\w+_proxy|PIP_INDEX_URL", name)}
    argv = ["python3", "-m", "pip", "install", "--quiet", "--no-deps", "--only-binary=:all:", f"--target={directory}", RUFF]
    with step(f"downloading {RUFF}", CACHE / "log" / "ruff.log") as log:
        try:
            run(sandbox.inside(root(), argv, directory, ENVIRONMENT | passed, [directory, *map(Path, NETWORK)]), log, "pip")
        except Failure as failure:
            raise Unreachable("PyPI cannot be reached: check the network, or set https_proxy", failure.log) from failure
