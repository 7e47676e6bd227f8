# SPDX-License-Identifier: GPL-2.0-only
"""The fuzzer: hostile input to the modules in a guest, from tests/userspace/fuzz/."""

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

# The section in the guest of the KUnit suites: a few seconds of input, always the same.
SECTION = "fuzz_files"
SHORT = "--seed 1 --rounds 4"
LOADED = "modprobe -a kalloc_exercise kalloc_compare kalloc_kv kalloc_map"
UNLOADED = "rmmod kalloc_exercise kalloc_compare kalloc_kv kalloc_map kalloc"
# The parts that need a machine with little memory and a slow processor: an instruction takes eight
# nanoseconds, on every host.
SMALL = ("limits", "longest")
# The memory in mebibytes, of which KASAN takes a part.
SMALL_MEMORY = {"stock": 128, "debug": 192}
# The additional time of a guest in seconds, to boot and to finish its round.
PATIENCE = 300

# The allowed messages: the loader's about unknown parameters, the module's about values out of
# range, and the kernel's about processes that request more memory than exists.
SAID = (
    r"^kalloc_exercise: parameter out of range, see modinfo kalloc_exercise$",
    r"^kalloc_exercise: workload \w+ failed: \w+",
    r"^kalloc(_exercise)?: `.*' (invalid|too large) for parameter `\w+'$",
    r"^kalloc_exercise: unknown parameter '.*' ignored$",
    r"^__vm_enough_memory: pid: \d+, comm: fuzz, bytes: \d+ not enough memory for the allocation$",
)


def program(arch: Arch = X86) -> Path:
    """Returns the program that generates the input."""
    return compiled("fuzz", arch)


def arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the command's options."""
    parser.add_argument("parts", metavar="PART", nargs="*",
                        help="commands, requests, maps, reads, kills, parameters, races, model, modes, signals, stuck, limits, "
                             "longest or largest; all but the last")
    amounts = parser.add_mutually_exclusive_group()
    amounts.add_argument("--seconds", type=int, default=120, help="duration in seconds (default: 120)")
    amounts.add_argument("--minutes", type=lambda minutes: round(60 * float(minutes)), dest="seconds", metavar="N",
                         help="duration in minutes")
    amounts.add_argument("--rounds", type=int, help="number of rounds, without the parts that take seconds: independent "
                         "of the load of the machine")
    parser.add_argument("--seed", type=int, help="the seed of the random numbers (default: the time)")
    parser.add_argument("--kernel", choices=("stock", "debug"), default="debug", help="the kernel (default: debug)")
    parser.add_argument("--memory", type=int, default=768, metavar="M", help="MiB of memory (default: 768)")


def main(options: argparse.Namespace) -> int:
    """Fuzzes for a while, and on a small machine; prints the figures, fails on a wrong result."""
    seed = options.seed if options.seed is not None else int(time.time())

    kernel, = set_up(options.kernel)
    amount = f"--rounds {options.rounds}" if options.rounds else f"--seconds {options.seconds}"
    say(f"==> hostile input, {amount[2:]}, on the {options.kernel} kernel, seed {seed}")
    machine = Guest(kernel, "", memory=options.memory, timeout=options.seconds + PATIENCE,
                    modules=kbuild.image(kernel), kvm=kvm.usable(kernel), add=[(program(), "usr/bin/fuzz")])
    rest = [part for part in options.parts if part not in SMALL]
    if rest or not options.parts:
        run(machine, f"--seed {seed} {amount} {' '.join(rest)}")
    if small := [part for part in SMALL if part in (options.parts or SMALL)]:
        say(f"==> on a small machine: {', '.join(small)}")
        run(replace(machine, memory=SMALL_MEMORY[options.kernel], icount=True, kvm=False), f"--seed {seed} {' '.join(small)}")
    return 0


def run(machine: Guest, words: str) -> None:
    """Runs the program in a guest; prints the figures, and fails on any wrong result."""
    out = io.BytesIO()
    result = boot(replace(machine, command=f"{LOADED} && fuzz {words} && {UNLOADED}"), out)
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
    """Returns whether all results are right, by the number and by the lines.

    The number is not sufficient, because it is in memory of the program that maps files.
    """
    return figures(text).get("wrong") == 0 and not re.search("^WRONG ", text, re.M)


def figures(text: str) -> dict[str, int]:
    """Returns the numbers at the end of the program's output."""
    return {name: int(number) for name, number in re.findall(r"^([a-z]\w+) (\d+)", text, re.M)}


def verdict(shown: str | None, where: str) -> Iterator[Case]:
    """Returns the verdict: all was tried, some of it was accepted, and nothing was wrong."""
    found = figures(shown or "")
    name = f"kunit guest.{SECTION}"
    tried = all(found.get(figure) for figure in ("inputs", "accepted", "refused_EINVAL", "reads", "kills", "unloads"))
    if tried and right(shown or "") and (shown or "").splitlines()[-1] == "status 0":
        kinds = ("inputs", "reads", "kills", "loads", "unloads")
        yield Case(name, "passed", figures=", ".join(f"{found[kind]} {kind}" for kind in kinds))
    else:
        yield Case(name, "failed", f"the guest shows {shown}\n{where}")
