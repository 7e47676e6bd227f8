# SPDX-License-Identifier: GPL-2.0-only
"""The kernel's own kunit.py, on a kernel tree with kalloc in it.

The tree is the cached source with hard links, and kalloc as lib/kalloc. It stays in the cache, with
the objects of each architecture, so that a run after an edit compiles only what the edit changes.
"""

import argparse
import platform
import re
import resource
import subprocess
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from kalloc_dev.core import store
from kalloc_dev.core.paths import CACHE, TREE
from kalloc_dev.core.sandbox import without_device
from kalloc_dev.guest import kvm
from kalloc_dev.kernel import overlay
from kalloc_dev.kernel.build import JOBS
from kalloc_dev.kernel.debian import debian
from kalloc_dev.test import dmesg
from kalloc_dev.test.result import Case
from kalloc_dev.toolchain.compilers import Toolchain, emulators, toolchain
from rust_kbuild.console import say

# The architectures for which the toolchain has all programs.
NATIVE = ("um", "x86_64")
TOOL = "tools/testing/kunit/kunit.py"
# The links, and the objects of one architecture.
GIGABYTES = 2.0
# The time limit of a guest that loads modules.
MODULE_SECONDS = 120


# The lines of KTAP with the name of a suite, and with the result of one of its cases.
SUITE = re.compile(r"^ +# Subtest: (\w+)$")
CASE = re.compile(r"^ {4}(not )?ok \d+ (\w+)(?: # SKIP (.*))?$")


@dataclass(frozen=True)
class Target:
    """An architecture of kunit.py, with the configurations in lib/kalloc and other options of kunit.py.

    Targets with the same directory share their objects. If the suites are a module, kunit.py only builds.
    """

    why: str
    arch: str
    configs: tuple[str, ...] = (".kunitconfig",)
    options: tuple[str, ...] = ()
    parameters: tuple[str, ...] = ()
    directory: str = ""
    modules: bool = False


CONFIGS = "tests/kunit/configs"
SMP = (".kunitconfig", f"{CONFIGS}/smp.config")
MACHINE = (*SMP, f"{CONFIGS}/machine.config")
TWO_CPUS = ("--qemu_args=-smp 2",)
WATCH = ("kalloc_watch.modules=all",)
# A warning of objtool fails the build.
X86_64 = (*TWO_CPUS, "--kconfig_add=CONFIG_OBJTOOL_WERROR=y")
# Kbuild links the users of the crate before the crate.
REVERSED = ("--make_options=KALLOC_REVERSED=1",)
# The users of the crate as modules, with the root directory of the host for their loading.
USERS = tuple(f"--kconfig_add=CONFIG_{name}" for name in
              ("HOSTFS=y", "KALLOC_KUNIT_TEST=m", "SAMPLE_KALLOC_COMPARE=m", "SAMPLE_KALLOC_MAP=m"))
TARGETS = {
    "um": Target("one CPU, no modules; fault injection", "um"),
    "um-reversed": Target("the users of the crate linked before the crate", "um", options=REVERSED, directory="um"),
    "um-bare": Target("without /proc and debugfs; the samples built in", "um", (f"{CONFIGS}/bare.config",)),
    "um-smp": Target("two CPUs, preemption; samples as modules", "um", SMP, parameters=("ncpus=2",)),
    "um-users": Target("the suites and all samples as modules", "um", SMP, USERS, ("ncpus=2",), "um-modules", modules=True),
    "um-modules": Target("everything as modules", "um", SMP, (*USERS, "--kconfig_add=CONFIG_KALLOC=m"), ("ncpus=2",),
                         modules=True),
    "x86_64": Target("lockdep; the watch built in", "x86_64", MACHINE, X86_64, WATCH),
    "x86_64-reversed": Target("the users of the crate linked before the crate", "x86_64", MACHINE,
                              (*X86_64, *REVERSED), WATCH, "x86_64"),
    "arm64": Target("lockdep; the watch built in", "arm64", MACHINE, TWO_CPUS, WATCH),
    "riscv": Target("lockdep; the watch built in", "riscv", MACHINE, TWO_CPUS, WATCH),
}
# The first process of a guest with modules, which loads and unloads them; its last line if nothing failed.
INIT = TREE / "tests/kunit/load_modules.sh"
LOADED = "kalloc: all modules were loaded and unloaded"


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
    return run(options.arch, options.append, options.kconfig, options.glob, incremental=True).status


def tree(name: str = "kunit") -> Path:
    """Returns an entry of the cache with a kernel tree for kalloc, made first if it is missing."""
    source = debian() / "linux"
    return store.entry(name, store.key_of(str(source), toolchain().ident, "1"),
                       lambda directory: overlay.link(source, directory / "linux"), gigabytes=GIGABYTES)


@dataclass(frozen=True)
class Result:
    """The status of a run, and the processor seconds of its guest."""

    status: int
    seconds: float = 0


def build_directory(name: str) -> Path:
    """Returns the directory of a target's objects."""
    return tree() / (TARGETS[name].directory or name)


def log(name: str) -> Path:
    """Returns the kernel log of the last run in a target's directory."""
    return build_directory(name) / "test.log"


def run(name: str, append: Sequence[str] = (), kconfig: Sequence[str] = (), glob: str | None = None,
        incremental: bool = False) -> Result:
    """Builds a target's kernel and runs its suites, by kunit.py.

    With `incremental`, rustc compiles only the parts of the crates that an edit changes, on
    User-Mode Linux.
    """
    directory, target = tree(), TARGETS[name]
    common = [f"--build_dir={build_directory(name)}", f"--arch={target.arch}",
              *(f"--kunitconfig={overlay.PLACE / config}" for config in target.configs),
              *(f"--kconfig_add={option}" for option in kconfig), *target.options]
    if incremental and target.arch == "um":
        common.append(f"--make_options=KALLOC_INCREMENTAL={build_directory(name) / 'incremental'}")
    parameters = [*target.parameters, *append]
    # Another clone of this project may use the tree.
    with store.lock(CACHE / "lock" / f"{directory.name}.run"):
        start = time.monotonic()
        log(name).unlink(missing_ok=True)
        changed = overlay.write(directory / "linux")
        say(f"==> kunit.py, {name}: {len(changed)} files changed in {overlay.PLACE} (log: {log(name)})")
        result = Result(_tool(name, "build", "--make_options=LLVM=1", f"--jobs={JOBS.removeprefix('-j')}", *common))
        built = time.monotonic()
        if not result.status:
            before = _processor_seconds()
            if target.modules:
                status = _load_modules(name, [*parameters, *([f"kunit.filter_glob={glob}"] if glob else [])])
            else:
                status = _tool(name, "exec", *common, *(f"--kernel_args={parameter}" for parameter in parameters),
                               *([glob] if glob else []))
            result = Result(status, _processor_seconds() - before)
        say(f"    kunit.py: status {result.status}; {built - start:.0f} s to build, {time.monotonic() - built:.0f} s to run "
            f"({result.seconds:.0f} s of processors)")
    return result


def _processor_seconds() -> float:
    """Returns the processor time of the commands that have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _tools(name: str) -> Toolchain:
    return toolchain() if TARGETS[name].arch in NATIVE else emulators()


def _tool(name: str, *words: str | Path) -> int:
    """Calls kunit.py for a target; returns its status."""
    call = _tools(name).argv(["python3", "-B", TOOL, *words], cwd=tree() / "linux")
    if TARGETS[name].arch != platform.machine() or not kvm.works(debian() / "vmlinuz"):
        # kunit.py prefers KVM, even if it does not work.
        call = without_device(kvm.DEVICE, call)
    return subprocess.run(call, stdin=subprocess.DEVNULL, check=False).returncode


def _load_modules(name: str, parameters: Sequence[str]) -> int:
    """Loads a target's modules in User-Mode Linux; prints the results of their suites by kunit.py.

    Returns a status. The root directory of the guest is that of the tools.
    """
    directory = build_directory(name)
    call = _tools(name).argv(
        [directory / "linux", "mem=1G", "console=tty", "root=/dev/root", "rootfstype=hostfs", "rootflags=/", "ro",
         "panic=-1", f"init={INIT}", f"modules={directory}", *parameters], cwd=directory)
    with log(name).open("wb") as file:
        try:
            subprocess.run(call, stdin=subprocess.DEVNULL, stdout=file, stderr=subprocess.STDOUT, timeout=MODULE_SECONDS,
                           check=False)
        except subprocess.TimeoutExpired:
            say(f"    the guest did not end within {MODULE_SECONDS} s")
    if LOADED not in log(name).read_text(errors="replace"):
        say(f"    a module was not loaded or not unloaded (log: {log(name)})")
        return 1
    return _tool(name, "parse", log(name))


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
