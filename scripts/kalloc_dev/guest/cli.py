# SPDX-License-Identifier: GPL-2.0-only
"""The command line of scripts/vm."""

import argparse
import os
import re
import shlex
import sys
from pathlib import Path
from typing import NoReturn

from kalloc_dev.core.prepare import set_up
from kalloc_dev.guest import kvm
from kalloc_dev.guest.cpio import DIRECTORIES
from kalloc_dev.guest.qemu import TIMEOUT, Guest, boot
from kalloc_dev.kernel.build import PLANS
from kalloc_dev.modules import kbuild
from kalloc_dev.toolchain.arch import X86, Arch
from rust_kbuild.console import Failure, say, tail

DESCRIPTION = """\
Boots a kernel in QEMU with the project's modules under /lib/modules, and runs COMMAND
there as root. Standard output and standard error are the command's; the kernel's log
is a file whose path is printed on standard error. No module is loaded unless COMMAND
loads it (modprobe kalloc_exercise). Standard input reaches COMMAND, as with ssh; a
program that shall not read it needs </dev/null."""
EPILOG = """\
A COMMAND of one word is passed to sh -c; one of several words runs directly.
The status is the command's, or
  124  if COMMAND took longer than --timeout,
  125  if an argument is wrong, or there is no kernel to boot,
  126  if the guest panicked, or did not boot,
  141  if the reader of the output is gone."""


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise Failure(f"{message} (scripts/vm --help)")


def _count(text: str) -> int:
    if not re.fullmatch(r"[1-9]\d{0,6}", text):
        raise argparse.ArgumentTypeError(f"{text!r} is not a number from 1")
    return int(text)


def _seconds(text: str) -> float:
    if not re.fullmatch(r"\d{1,6}(\.\d+)?", text) or not float(text):
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of seconds")
    return float(text)


def _addition(text: str) -> tuple[Path, str]:
    """Parses PATH or PATH:DEST.

    A file is placed in DEST if DEST is one of the guest's directories or ends in a slash.
    """
    path, colon, destination = text.rpartition(":/")
    if not colon:
        path, destination = text, ""
    source = Path(path)
    if not source.exists():
        raise argparse.ArgumentTypeError(f"{path} does not exist")
    if source.is_file() and destination in DIRECTORIES:
        destination += "/"
    if not destination or destination.endswith("/"):
        destination += source.resolve().name
    return source, destination


def _packages(text: str) -> list[str]:
    names = [name for name in text.split(",") if name]
    for name in names:
        if not re.fullmatch(r"[a-z0-9][a-z0-9+.-]+", name):
            raise argparse.ArgumentTypeError(f"{name!r} is not the name of a package")
    return names


def _device(text: str) -> str:
    if not re.fullmatch(r"[A-Za-z][\w.-]*(,[\w.-]+=[^\s,]*)*", text):
        raise argparse.ArgumentTypeError(f"{text!r} is not a device, NAME[,PROPERTY=VALUE]…")
    return text


def _parse(words: list[str]) -> argparse.Namespace:
    parser = _Parser(prog="scripts/vm", description=DESCRIPTION, epilog=EPILOG, allow_abbrev=False,
                     formatter_class=argparse.RawDescriptionHelpFormatter,
                     usage="scripts/vm [OPTION]… -- COMMAND…")
    parser.add_argument("--kernel", choices=PLANS, default="stock", help="the kernel (default: stock)")
    parser.add_argument("--cpus", type=_count, metavar="N", help="number of processors (default: 2; with --icount: 1)")
    parser.add_argument("--memory", type=_count, default=1024, metavar="M", help="MiB of memory (default: 1024)")
    parser.add_argument("--icount", action="store_true", help="one instruction takes one nanosecond of guest time")
    parser.add_argument("--la57", action="store_true", help="five-level page tables, on an emulated processor")
    parser.add_argument("--append", action="append", default=[], metavar="ARGS", help="kernel parameters")
    parser.add_argument("--add", action="append", type=_addition, default=[], metavar="PATH[:DEST]",
                        help="a file or directory for the guest (default DEST: its name, in /)")
    parser.add_argument("--packages", action="extend", type=_packages, default=[], metavar="P,Q,…",
                        help="a Debian userland with these packages, instead of a busybox")
    parser.add_argument("--device", action="append", type=_device, default=[], metavar="SPEC",
                        help="a device for the guest, as for QEMU: edu; pci-testdev; NAME,PROPERTY=VALUE")
    parser.add_argument("--timeout", type=_seconds, default=300.0, metavar="S",
                        help="time limit of COMMAND in seconds (default: 300)")
    parser.add_argument("--shell", action="store_true", help="an interactive shell instead of COMMAND")
    split = words.index("--") if "--" in words else len(words)
    options = parser.parse_args(words[:split])
    options.command = words[split + 1:]
    if bool(options.command) == options.shell:
        parser.error("a COMMAND is wanted after --, or --shell")
    if options.shell and not (sys.stdin.isatty() and sys.stdout.isatty()):
        parser.error("--shell wants a terminal")
    if options.icount and (options.cpus or 1) > 1:
        parser.error("--icount has one processor")
    if options.packages and PLANS[options.kernel].arch is not X86:
        parser.error("--packages is for kernels of x86_64")
    if options.la57 and not PLANS[options.kernel].has_packed:
        has = ", ".join(name for name, plan in PLANS.items() if plan.has_packed)
        parser.error(f"--la57 is for the kernels that have a packed image: {has}")
    return options


def main(words: list[str]) -> int:
    """Runs the command; returns the exit status of scripts/vm."""
    options = _parse(words)
    result = boot(_guest(options))
    say(f"    kernel log: {result.log}")
    if not result.ended:
        why = f"no answer after {options.timeout:g} s" if result.status == TIMEOUT else \
            "the guest died" if result.boot_seconds else "the guest never came up"
        say(tail(result.log))
        say(f"error: {why} (log: {result.log})")
    return result.status


def _stdin() -> int | None:
    """Returns the descriptor of the standard input, or None if a read would fail or stop this program."""
    try:
        own = os.tcgetpgrp(0) == os.getpgrp() if os.isatty(0) else os.fstat(0) is not None
    except OSError:
        return None
    return 0 if own else None


def _require_device(arch: Arch, spec: str) -> None:
    """Fails if QEMU has no such device."""
    name = spec.partition(",")[0]
    if not re.search(rf'\b(name|alias) "{re.escape(name)}"', arch.tools().output([*arch.qemu, "-device", "help"])):
        raise Failure(f"--device {spec}: QEMU has no device {name}")


def _guest(options: argparse.Namespace) -> Guest:
    kernel, = set_up(options.kernel)
    for spec in options.device:
        _require_device(kernel.arch, spec)
    command = options.command
    return Guest(
        kernel=kernel,
        command=command[0] if len(command) == 1 else shlex.join(command),
        cpus=options.cpus or (1 if options.icount else 2),
        memory=options.memory,
        icount=options.icount,
        la57=options.la57,
        kvm=not options.icount and not options.la57 and kvm.usable(kernel),
        append=" ".join(options.append),
        timeout=options.timeout,
        add=options.add,
        packages=tuple(options.packages),
        devices=tuple(options.device),
        modules=kbuild.image(kernel),
        interactive=options.shell,
        stdin=None if options.shell else _stdin(),
    )
