# SPDX-License-Identifier: GPL-2.0-only
"""The project's command line: one program, with a subcommand for each task."""

import argparse
import os
import subprocess
import sys
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import NoReturn

from kalloc_dev.bench import cli as bench
from kalloc_dev.core.paths import TREE, from_environment
from kalloc_dev.core.prepare import prune, set_up
from kalloc_dev.doc import coverage
from kalloc_dev.export import cli as export
from kalloc_dev.guest import cli as vm
from kalloc_dev.guest.qemu import MISTAKE
from kalloc_dev.kernel.build import NAMES, PLANS
from kalloc_dev.lint import checks
from kalloc_dev.modules import ide, kbuild
from kalloc_dev.modules.external_driver import analyze_driver, build_driver, clean_driver
from kalloc_dev.package import deb, kalloctop
from kalloc_dev.test import deb as deb_test
from kalloc_dev.test import dmesg, fuzz, kunit_tool, matrix, models, mutants, runner, slabinfo_readers, smoke, soak
from kalloc_dev.test.fault_injection import cli as fault_injection
from kalloc_dev.toolchain.compilers import toolchain
from rust_kbuild.console import Failure, say

PICTURE = TREE / "Documentation" / "kalloctop.svg"

TARGETS: dict[str, Callable[[kbuild.BuildTree], Iterable[Path]]] = {
    "modules": kbuild.build,
    "modules_install": kbuild.install,
    "rust-analyzer": ide.rust_analyzer,
    "compile_commands.json": ide.compile_commands,
}
# The targets for a driver's directory.
DRIVER_TARGETS: dict[str, Callable[[kbuild.BuildTree, Path], Iterable[Path]]] = {
    "modules": build_driver,
    "clean": clean_driver,
    "rust-analyzer": analyze_driver,
}
# The two descriptions cover every module, so they need the kernel for which all modules are built.
DEFAULT_KERNEL = {"rust-analyzer": "debug", "compile_commands.json": "debug"}


class Parser(argparse.ArgumentParser):
    """A parser that reports a mistake in one line, with status 2."""

    def error(self, message: str) -> NoReturn:
        raise Failure(f"{message} ({self.prog} --help)", status=2)


@dataclass(frozen=True)
class Command:
    """A subcommand: its help, its options, and the function that runs it."""

    help: str
    run: Callable[[argparse.Namespace], int]
    arguments: Callable[[argparse.ArgumentParser], None] = lambda _: None


def _setup_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("kernels", nargs="*", metavar="KERNEL",
                        help=f"a kernel: {', '.join(PLANS)} (default: {', '.join(NAMES)})")
    parser.add_argument("--prune", action="store_true",
                        help="only remove the cache entries that this tree no longer uses")


def _setup(options: argparse.Namespace) -> int:
    if unknown := set(options.kernels) - set(PLANS):
        raise Failure(f"no kernel {' or '.join(sorted(unknown))}: choose from {', '.join(PLANS)}", status=2)
    if options.prune:
        prune()
        return 0
    for kernel in set_up(*(options.kernels or NAMES)):
        say(f"    {kernel.name}: Linux {kernel.release}, build tree {kernel.tree}")
    return 0


def _modules_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("target", nargs="?", choices=[*TARGETS, "clean"], default="modules",
                        help="the make target (default: modules)")
    parser.epilog = ("The environment chooses the kernel and the sources: KERNEL=stock, debug or bench is one of the project's "
                     "kernels (default: stock), KDIR=DIR another kernel's build tree, M=DIR the directory of a driver that uses "
                     "kalloc, as in the kernel's own make. CLIPPY=1, V=1 and W=1 are for that driver.")


def _modules(options: argparse.Namespace) -> int:
    kdir = from_environment("KDIR")
    driver, name = from_environment("M"), os.environ.get("KERNEL")
    if name and (kdir or name not in PLANS):
        raise Failure(f"KERNEL={name}: " + ("KDIR= is another kernel" if kdir else f"choose from {', '.join(PLANS)}"), status=2)
    targets = DRIVER_TARGETS if driver else TARGETS
    if options.target not in targets:
        raise Failure(f"{options.target} needs " + ("no M=" if driver else "M=DIR, a driver's directory"), status=2)
    default = "stock" if driver else DEFAULT_KERNEL.get(options.target, "stock")
    tree = kbuild.foreign_tree(kdir) if kdir else kbuild.tree_of(set_up(name or default)[0])
    for made in DRIVER_TARGETS[options.target](tree, driver) if driver else TARGETS[options.target](tree):
        say(f"    {made}")
    return 0


def _names(metavar: str, text: str) -> Callable[[argparse.ArgumentParser], None]:
    def add(parser: argparse.ArgumentParser) -> None:
        parser.add_argument("names", nargs="*", metavar=metavar, help=text)
    return add


def _tools(_: argparse.Namespace) -> int:
    for made in kalloctop.bring():
        say(f"    {made}")
    return 0


def _deb(_: argparse.Namespace) -> int:
    for made in deb.build():
        say(f"    {made}")
    return 0


def _dmesg_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("file", type=Path, metavar="FILE", help="the kernel log of a guest")
    parser.add_argument("allowed", nargs="*", metavar="ALLOWED", help="regular expressions of accepted lines")


def _dmesg(options: argparse.Namespace) -> int:
    if not options.file.is_file():
        raise Failure(f"{options.file} is not a file", status=2)
    found = dmesg.judge(options.file, tuple(options.allowed))
    sys.stdout.writelines(line + "\n" for line in found)
    return 1 if found else 0


def _screenshot(_: argparse.Namespace) -> int:
    kalloctop.made()
    done = subprocess.run(
        [TREE / "scripts/vm", "--kernel", "stock", "--packages", ",".join(slabinfo_readers.PACKAGES),
         "--add", TREE / "tests/slabinfo_readers", "--", "python3 -B /slabinfo_readers/screenshot.py"],
        stdout=subprocess.PIPE, check=False)
    if done.returncode:
        raise Failure("the guest made no picture")
    PICTURE.write_bytes(done.stdout)
    say(f"    {PICTURE}: {len(done.stdout) >> 10} KiB")
    return 0


def _vm(words: list[str]) -> int:
    try:
        return vm.main(words)
    except Failure as failure:
        failure.status = MISTAKE if failure.status is None else failure.status
        raise


def _enter(words: list[str]) -> int:
    if not words or words[0].startswith("-"):
        usage = "usage: scripts/kalloc enter COMMAND [ARGUMENT...]"
        if words[:1] not in (["-h"], ["--help"]):
            raise Failure(usage, status=2)
        print(f"{usage}\n\nRuns a command with the project's tools, in this directory.")
        return 0
    return subprocess.run(toolchain().argv(words, cwd=Path(os.getcwd())), check=False).returncode


COMMANDS = {
    "setup": Command("install the tools and build the kernels that the other commands use", _setup, _setup_arguments),
    "run": Command("load the modules in an unmodified distribution kernel, in a guest, and show their counters", smoke.main),
    "modules": Command("build the modules, or a driver that uses them", _modules, _modules_arguments),
    "test": Command("run every test, or a module by name", runner.main, runner.arguments),
    "kunit": Command("run the KUnit suites in the kernel's own tree, by the kernel's kunit.py", kunit_tool.main,
                     kunit_tool.arguments),
    "export": Command("write the overlay for a kernel tree, and the patch series", export.main, export.arguments),
    "mutants": Command("plant the defects of tests/defects/ one by one; a test must kill each mutant", mutants.main,
                       mutants.arguments),
    "test-models": Command("check the crate's protocols against the kernel's memory model (herd7)", models.main,
                           models.arguments),
    "fault-injection": Command("fail each allocation of each system call and test case", fault_injection.main,
                               fault_injection.arguments),
    "matrix": Command("run the suites on kernels of other kinds", matrix.main, matrix.arguments),
    "soak": Command("run load on the modules for a long time, and check that no memory is lost", soak.main, soak.arguments),
    "fuzz": Command("fuzz the modules in a guest; fail on a wrong result or a kernel warning", fuzz.main, fuzz.arguments),
    "bench": Command("measure kalloc against C and the kernel crate; fail if a bound is broken", bench.main, bench.arguments),
    "check": Command("run the lints, or some by name", lambda options: checks.run_checks(options.names),
                     _names("CHECK", f"a check: {', '.join(check.__name__ for check in checks.CHECKS)} (default: all)")),
    "coverage": Command("count the allocating calls in the kernel's drivers that types of kalloc replace", coverage.main,
                        coverage.arguments),
    "dmesg": Command("print the warnings of a kernel log; the status is 1 if there are any", _dmesg, _dmesg_arguments),
    "tools": Command("build kalloctop, a static program, with its manual page and completions, in build/", _tools),
    "deb": Command("build the Debian packages, in build/", _deb),
    "test-deb": Command("install the packages on a new machine, boot it, and purge them", deb_test.main),
    "screenshot": Command("make Documentation/kalloctop.svg from a session in a guest", _screenshot),
}
# Commands with a parser of their own: their arguments are passed on unchanged.
PASSED_ON: dict[str, tuple[str, Callable[[list[str]], int]]] = {
    "vm": ("boot a kernel in QEMU and run a command there (the same as scripts/vm)", _vm),
    "enter": ("run a command with the project's tools", _enter),
}


def main(words: list[str]) -> int:
    """Runs a subcommand; returns its status."""
    if words[:1] and words[0] in PASSED_ON:
        return PASSED_ON[words[0]][1](words[1:])
    parser = Parser(prog="scripts/kalloc", description=__doc__, allow_abbrev=False)
    commands = parser.add_subparsers(dest="command", metavar="COMMAND", required=True)
    for name, command in COMMANDS.items():
        sub = commands.add_parser(name, help=command.help, description=f"{command.help[0].upper()}{command.help[1:]}.",
                                  allow_abbrev=False, formatter_class=argparse.RawDescriptionHelpFormatter)
        command.arguments(sub)
    for name, (text, _) in PASSED_ON.items():
        commands.add_parser(name, help=text)
    options = parser.parse_args(words)
    return COMMANDS[options.command].run(options)
