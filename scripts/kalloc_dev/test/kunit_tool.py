# SPDX-License-Identifier: GPL-2.0-only
"""The kernel's own kunit.py, on a kernel tree with kalloc in it.

The tree is the cached source with hard links, and kalloc as lib/kalloc. It stays in the cache, with
the objects of each architecture, so that a run after an edit compiles only what the edit changes.
"""

import argparse
import platform
import re
import subprocess
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from kalloc_dev.core import store
from kalloc_dev.core.paths import CACHE
from kalloc_dev.core.sandbox import without_device
from kalloc_dev.guest import kvm
from kalloc_dev.kernel import overlay
from kalloc_dev.kernel.build import JOBS
from kalloc_dev.kernel.debian import debian
from kalloc_dev.test import dmesg
from kalloc_dev.test.result import Case
from kalloc_dev.toolchain.compilers import emulators, toolchain
from rust_kbuild.console import say

# The architectures for which the toolchain has all programs.
NATIVE = ("um", "x86_64")
TOOL = "tools/testing/kunit/kunit.py"
# The links, and the objects of one architecture.
GIGABYTES = 2.0


# The lines of KTAP with the name of a suite, and with the result of one of its cases.
SUITE = re.compile(r"^ +# Subtest: (\w+)$")
CASE = re.compile(r"^ {4}(not )?ok \d+ (\w+)(?: # SKIP (.*))?$")


@dataclass(frozen=True)
class Target:
    """An architecture of kunit.py, and the configurations in lib/kalloc."""

    arch: str
    configs: tuple[str, ...] = (".kunitconfig",)


CONFIGS = "tests/kunit/configs"
MACHINE = (".kunitconfig", f"{CONFIGS}/smp.config", f"{CONFIGS}/machine.config")
TARGETS = {
    "um": Target("um"),
    "um-bare": Target("um", (f"{CONFIGS}/bare.config",)),
    "um-smp": Target("um", (".kunitconfig", f"{CONFIGS}/smp.config")),
    "x86_64": Target("x86_64", MACHINE),
    "arm64": Target("arm64", MACHINE),
    "riscv": Target("riscv", MACHINE),
}


def arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the command's options."""
    parser.add_argument("glob", nargs="?", metavar="GLOB",
                        help="the suites or cases to run, such as 'kalloc_slab*' (default: all)")
    parser.add_argument("--arch", choices=TARGETS, default="um",
                        help="the architecture, or a variant of its configuration (default: um, User-Mode Linux)")
    parser.add_argument("--append", action="append", default=[], metavar="PARAMETER", help="a parameter of the kernel")
    parser.add_argument("--kconfig", action="append", default=[], metavar="CONFIG_NAME=VALUE", help="an option of the kernel")


def main(options: argparse.Namespace) -> int:
    """Runs kunit.py; returns its status."""
    return run(options.arch, options.append, options.kconfig, options.glob)


def tree() -> Path:
    """Returns the entry of the cache with the kernel tree, made first if it is missing."""
    source = debian() / "linux"
    return store.entry("kunit", store.key_of(str(source), toolchain().ident, "1"),
                       lambda directory: overlay.link(source, directory / "linux"), gigabytes=GIGABYTES)


def log(name: str) -> Path:
    """Returns the kernel log of a target's last run."""
    return tree() / name / "test.log"


def run(name: str, append: Sequence[str] = (), kconfig: Sequence[str] = (), glob: str | None = None) -> int:
    """Runs kunit.py for a target; returns its status."""
    directory, target = tree(), TARGETS[name]
    argv: list[str | Path] = [
        "python3", "-B", TOOL, "run", f"--arch={target.arch}", f"--build_dir={directory / name}", "--make_options=LLVM=1",
        f"--jobs={JOBS.removeprefix('-j')}",
        *(f"--kunitconfig={overlay.PLACE / config}" for config in target.configs),
        *(f"--kconfig_add={option}" for option in kconfig),
        *(f"--kernel_args={parameter}" for parameter in append), *([glob] if glob else [])]
    # Another clone of this project may use the tree.
    with store.lock(CACHE / "lock" / f"{directory.name}.run"):
        start = time.monotonic()
        changed = overlay.write(directory / "linux")
        say(f"==> kunit.py, {name}: {len(changed)} files changed in {overlay.PLACE} (log: {directory / name / 'test.log'})")
        tools = toolchain() if target.arch in NATIVE else emulators()
        call = tools.argv(argv, cwd=directory / "linux")
        if target.arch != platform.machine() or not kvm.works(debian() / "vmlinuz"):
            # kunit.py prefers KVM, even if it does not work.
            call = without_device(kvm.DEVICE, call)
        status = subprocess.run(call, stdin=subprocess.DEVNULL, check=False).returncode
        say(f"    kunit.py: status {status} after {time.monotonic() - start:.0f} s")
    return status


def cases(text: str) -> Iterator[Case]:
    """Yields the cases in a kernel log; the detail of a skipped case is its reason."""
    suite = ""
    for line in text.splitlines():
        found = dmesg.LINE.match(line)
        message = found[2] if found else line
        if heading := SUITE.match(message):
            suite = heading[1]
        elif result := CASE.match(message):
            outcome = "failed" if result[1] else "passed" if result[3] is None else "skipped"
            yield Case(f"{suite}.{result[2]}", outcome, f"    {result[3]}\n" if outcome == "skipped" else "")
