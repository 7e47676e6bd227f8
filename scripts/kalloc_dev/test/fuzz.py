# SPDX-License-Identifier: GPL-2.0
"""Hostile input to the modules: tests/userspace/hostile/ in a guest, and what the kernel says of it."""

import argparse
import io
import re
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

from kalloc_dev.core.prepare import set_up
from kalloc_dev.guest import kvm
from kalloc_dev.guest.qemu import TIMEOUT, Guest, boot
from kalloc_dev.modules import kbuild
from kalloc_dev.modules.user_programs import compiled
from kalloc_dev.test import dmesg
from kalloc_dev.test.result import Case
from kalloc_dev.toolchain.arch import X86, Arch
from rust_kbuild.console import Failure, say

# In the guest of the KUnit suites: as much as a few seconds allow, always the same.
SECTION = "hostile_input_is_refused"
SHORT = "--seed 1 --rounds 4"
LOADED = "modprobe -a kalloc_exercise kalloc_compare kalloc_kv kalloc_map"
UNLOADED = "rmmod kalloc_exercise kalloc_compare kalloc_kv kalloc_map kalloc"
# What takes a machine that has little memory, and is slow: eight nanoseconds for an instruction, whatever the host.
SMALL = ("limits", "longest")
# Mebibytes; KASAN has its part of them.
SMALL_MEMORY = {"stock": 128, "debug": 192}
# Seconds more than asked for, until a guest is given up: it boots, and finishes its round.
PATIENCE = 300

# What the log may have: what the loader says of parameters that are none, and the module of those out of range;
# processes that ask for more memory than there can be.
SAID = (
    r"^kalloc_exercise: parameter out of range, see modinfo kalloc_exercise$",
    r"^kalloc_exercise: workload \w+ failed: \w+",
    r"^kalloc(_exercise)?: `.*' (invalid|too large) for parameter `\w+'$",
    r"^kalloc_exercise: unknown parameter '.*' ignored$",
    r"^__vm_enough_memory: pid: \d+, comm: hostile, bytes: \d+ not enough memory for the allocation$",
)


def program(arch: Arch = X86) -> Path:
    """The program that does it."""
    return compiled("hostile", arch)


def arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the command's options."""
    parser.add_argument("parts", metavar="PART", nargs="*",
                        help="commands, requests, maps, reads, kills, parameters, races, model, modes, signals, stuck, limits, "
                             "longest or largest; all but the last")
    amounts = parser.add_mutually_exclusive_group()
    amounts.add_argument("--seconds", type=int, default=120, help="how long (default: 120)")
    amounts.add_argument("--minutes", type=lambda minutes: round(60 * float(minutes)), dest="seconds", metavar="N",
                         help="the same, for long ones")
    amounts.add_argument("--rounds", type=int, help="as many rounds, without what takes seconds: the same, however "
                         "busy the machine is")
    parser.add_argument("--seed", type=int, help="where the random numbers begin (default: the time)")
    parser.add_argument("--kernel", choices=("stock", "debug"), default="debug", help="(default: debug)")
    parser.add_argument("--memory", type=int, default=768, metavar="M", help="mebibytes (default: 768)")


def main(options: argparse.Namespace) -> int:
    """Fuzzes for a while, and on a small machine; shows the figures, and fails if anything was wrong."""
    seed = options.seed if options.seed is not None else int(time.time())

    kernel, = set_up(options.kernel)
    amount = f"--rounds {options.rounds}" if options.rounds else f"--seconds {options.seconds}"
    say(f"==> hostile input, {amount[2:]}, on the {options.kernel} kernel, seed {seed}")
    machine = Guest(kernel, "", memory=options.memory, timeout=options.seconds + PATIENCE,
                    modules=kbuild.image(kernel), kvm=kvm.usable(kernel), add=[(program(), "usr/bin/hostile")])
    rest = [part for part in options.parts if part not in SMALL]
    if rest or not options.parts:
        run(machine, f"--seed {seed} {amount} {' '.join(rest)}")
    if small := [part for part in SMALL if part in (options.parts or SMALL)]:
        say(f"==> on a small machine: {', '.join(small)}")
        run(replace(machine, memory=SMALL_MEMORY[options.kernel], icount=True, kvm=False), f"--seed {seed} {' '.join(small)}")
    return 0


def run(machine: Guest, words: str) -> None:
    """Runs the program in a guest; shows the figures, and fails if anything was wrong."""
    out = io.BytesIO()
    result = boot(replace(machine, command=f"{LOADED} && hostile {words} && {UNLOADED}"), out)
    text = out.getvalue().decode(errors="replace")
    print(text, end="")
    if result.status == TIMEOUT:
        raise Failure("the guest does not answer", result.log)
    if found := dmesg.judge(result.log, SAID):
        raise Failure("the kernel log has\n" + "\n".join(found), result.log)
    if result.status or not right(text):
        raise Failure(f"hostile input was not refused as it must be: status {result.status}", result.log)
    say(f"    a clean log ({result.log}), everything freed and unloaded")


def right(text: str) -> bool:
    """Returns whether nothing was wrong, by the number and by the lines: the number is memory of the program that maps."""
    return figures(text).get("wrong") == 0 and not re.search("^WRONG ", text, re.M)


def figures(text: str) -> dict[str, int]:
    """The numbers that the program ends with."""
    return {name: int(number) for name, number in re.findall(r"^([a-z]\w+) (\d+)", text, re.M)}


def verdict(shown: str | None, where: str) -> Iterator[Case]:
    """What the section shows: all was tried, some of it was accepted, nothing was wrong."""
    found = figures(shown or "")
    name = f"kunit guest.{SECTION}"
    tried = all(found.get(figure) for figure in ("inputs", "accepted", "refused_EINVAL", "reads", "kills", "unloads"))
    if tried and right(shown or "") and (shown or "").splitlines()[-1] == "status 0":
        kinds = ("inputs", "reads", "kills", "loads", "unloads")
        yield Case(name, "passed", figures=", ".join(f"{found[kind]} {kind}" for kind in kinds))
    else:
        yield Case(name, "failed", f"the guest shows {shown}\n{where}")
