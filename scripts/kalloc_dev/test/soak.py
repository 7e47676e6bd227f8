# SPDX-License-Identifier: GPL-2.0-only
"""The soak: rounds of load in one guest, and the conditions after each round and after all of them.

A round loads kalloc_stress.ko. Its workers allocate, resize and free through every family, in
process context, in softirqs and in a timer interrupt. Meanwhile all files are read, and other
modules are loaded, used and unloaded. One of their processes exceeds its memory limit. Processors
go offline and come back. Processes exhaust memory, in a small group and in the whole guest, until
they are killed.

After each round the counters must equal the workers' tally, and the modules must unload without a
trace. After all rounds, the memory must be free to the page, and the kernel's log must contain only
the killed processes.
"""

import argparse
import re
import time
from math import sqrt
from statistics import median

from kalloc_dev.core.paths import TREE
from kalloc_dev.core.prepare import set_up
from kalloc_dev.guest import kvm
from kalloc_dev.guest.qemu import Guest, boot
from kalloc_dev.kernel.build import Kernel
from kalloc_dev.modules import kbuild
from kalloc_dev.modules.user_programs import compiled
from kalloc_dev.test import dmesg
from rust_kbuild.console import Failure, say

GUEST = TREE / "tests" / "stress" / "guest.sh"
MODULES = ("compare", "exercise", "kv", "map")
FILES = ("kallocinfo", "sites", "sites.json", "compare", "layout", "exercise", "kalloc_kv", "kalloc_map")
# The work done in the rounds, none of which may remain zero.
DONE = {"ops": "operations", "faults": "allocations refused, of the operations', for there was no memory",
        "plug": "times that every other processor went and came", "command": "commands to the workloads",
        "keys": "times that keys were set, and deleted", "limit": "times that no key could be set, by a group's limit",
        **{f"load:{name}": f"loads and unloads of kalloc_{name}" for name in MODULES},
        **{f"read:{name}": f"reads of {name}" for name in FILES}}
# The killed processes in the kernel's log, which must occur as well.
KILLS = {"Memory cgroup out of memory: Killed process": "processes killed in the small group",
         "Out of memory: Killed process": "processes killed for all memory"}
# The memory that may be missing at the end. The amount that the kernel keeps varies from round to
# round; the median of N rounds varies by that divided by the root of N. It also grows a little, by
# threads that the kernel has created and keeps.
PAGES = {"pages that no list has": (250, 10), "pages of slabs": (400, 100), "pages of vmalloc areas": (60, 10)}
# The same limit for the objects of each slab cache: some may be in a slab that a processor holds.
OBJECTS = (250, 50)
# DMA addresses, which no module of kalloc uses: a processor that goes offline leaves the ones that
# it holds.
NOT_OURS = ("iommu_iova",)

# The number of objects that a processor holds of the cache for which kalloc_stress requests 200. It
# is zero for a cache with SLUB's checks.
SHEAVES = {"stock": 200, "debug": 0}

# More memory if freed memory waits for long: the process that takes the rest must free memory when
# it ends.
MEMORY = {"stock": 256, "debug": 384}

# The debug kernel has no ACPI and does not detect two nodes; it emulates them.
NODES = {"stock": "", "debug": " numa=fake=2U"}

# One pool of workers for all processors. A pool for each has as many threads as ever waited there
# at a time, and keeps them for minutes: in the first hour their number would grow with the rounds.
APPEND = "workqueue.default_affinity_scope=system"

# The only warning of a module when memory is exhausted.
SAID = (r"^kalloc_exercise: workload \w+ failed: ENOMEM$",)
# Messages of the kernel that are faults here. The processes that exhaust memory begin as shells; no
# other process may be killed. Only pages of order 0 may be refused with a report.
BAD = (r"^(Memory cgroup out of memory|Out of memory): Killed process \d+ \((?!(dd|sleep|sh)\) )|"
       r"page allocation failure: order:(?!0,)")


class Rounds:
    """The lines that the guest prints, and the stream to which boot() writes them.

    Objects of slab caches are requested only from a kernel that frees them immediately.
    """

    def __init__(self, objects: bool) -> None:
        self.objects = objects
        self.sums = dict.fromkeys(DONE, 0)
        self.wrong: list[str] = []
        self.taken: list[dict[str, int]] = []
        self.words: list[str] = []
        self.done = 0
        self._left, self._start = b"", time.monotonic()

    def write(self, data: bytes) -> int:
        """Accepts output of the guest."""
        *lines, self._left = (self._left + data).split(b"\n")
        for line in lines:
            self._line(line.decode(errors="replace"))
        return len(data)

    def flush(self) -> None:
        """Does nothing: no output is buffered."""

    def _line(self, line: str) -> None:
        self.words.append(line)
        kind, *words = line.split()
        if kind == "wrong:":
            self.wrong.append(line)
            say(f"    {line}")
        elif kind == "pages":
            self.taken.append(dict(zip(PAGES, map(int, words))))
            say(f"           {line}")
        elif kind == "slabs" and self.objects:
            self.taken[-1] |= {f"objects of {name}": int(number) for name, number in zip(words[::2], words[1::2])
                               if name not in NOT_OURS}
        elif kind == "round":
            for name, number in zip(words[1::2], words[2::2]):
                self.sums[name] += int(number)
            self.done += 1
            say(f"    {time.monotonic() - self._start:5.0f} s: {line}")

    def lost(self) -> list[str]:
        """Names the losses of memory that exceed the usual variation."""
        # The first round fills the kernel's caches.
        taken = self.taken[1:]
        if not taken:
            return []
        some = max(1, len(taken) // 3)
        gone, limits = {}, {}
        for name in {name: 0 for numbers in taken for name in numbers}:
            before, after = (median(numbers.get(name, 0) for numbers in part) for part in (taken[:some], taken[-some:]))
            varies, grows = PAGES.get(name, OBJECTS)
            gone[name], limits[name] = round(after - before), round(varies / sqrt(some)) + grows
        most = sorted(gone.keys() - PAGES, key=lambda name: -gone[name])[:3]
        say("    more than in the beginning: " +
            ", ".join(f"{gone[name]} {name} (limit {limits[name]})" for name in (*PAGES, *most)))
        return [f"{number} {name} are lost" for name, number in gone.items() if number > limits[name]]


def arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the command's options."""
    parser.add_argument("--minutes", type=float, default=10.0, metavar="N", help="duration in minutes (default: 10)")
    parser.add_argument("--seconds", type=float, metavar="N", help="duration in seconds")
    parser.add_argument("--rounds", type=int, default=4, metavar="N", help="minimum number of rounds (default: 4)")
    parser.add_argument("--loads", type=int, default=0, metavar="N",
                        help="minimum number of module loads and unloads (default: 0)")
    parser.add_argument("--ops", type=int, default=60000, metavar="N",
                        help="minimum number of operations in a round (default: 60000)")
    parser.add_argument("--kernel", choices=("stock", "debug"), default="stock", help="the kernel (default: stock)")
    parser.add_argument("--cpus", type=int, default=8, metavar="N", help="number of processors, at least 2 (default: 8)")
    parser.add_argument("--icount", action="store_true", help="count the guest's time in instructions, independent of the "
                        "load of the machine; one processor runs at a time")
    parser.add_argument("--memory", type=int, metavar="M",
                        help=f"MiB of memory (default: {MEMORY['stock']}; debug: {MEMORY['debug']})")
    parser.add_argument("--no-eaters", action="store_true", help="do not exhaust memory")
    parser.add_argument("--lose", type=int, default=0, metavar="N",
                        help="lose N pages in each round, at most 16, to test that the loss is detected")


def main(options: argparse.Namespace) -> int:
    """Runs the rounds; returns status 1 if a condition is violated."""
    seconds = options.minutes * 60 if options.seconds is None else options.seconds

    target, = set_up(options.kernel)
    rounds = Rounds(objects=target.name == "stock")
    problems = run(target, options, seconds, rounds)
    say("\n".join(problems) or f"==> {rounds.done} rounds: every counter exact, nothing left behind, on Linux {target.release}")
    return 1 if problems else 0


def run(target: Kernel, options: argparse.Namespace, seconds: float, rounds: Rounds) -> list[str]:
    """Boots the guest; returns the problems."""
    variables = (f"rounds={options.rounds} seconds={seconds:.0f} loads={options.loads} ops={options.ops} "
                 f"eaters={0 if options.no_eaters else 1} lost={options.lose}")
    guest = Guest(target, f"{variables}\n{GUEST.read_text()}", cpus=options.cpus, nodes=2,
                  memory=options.memory or MEMORY[target.name],
                  append=APPEND + NODES[target.name], add=[(compiled("kv_test"), "usr/bin/kv_test")],
                  icount=options.icount, kvm=not options.icount and kvm.usable(target),
                  timeout=seconds * 2 + options.loads * 4 + 1200, modules=kbuild.image(target))
    result = boot(guest, rounds)  # type: ignore[arg-type]
    say(f"    kernel log: {result.log}")
    if result.status:
        raise Failure(f"the guest's status is {result.status}", result.log)
    problems = [*rounds.wrong, *rounds.lost()]
    log = result.log.read_text(errors="replace")
    done = re.findall(r"kalloc_stress: (\d+) operations by 12 workers, [1-9]\d* interrupts: 0 numbers wrong$", log, re.M)
    exact = sum(int(ops) >= options.ops for ops in done)
    if exact != rounds.done or rounds.done < options.rounds:
        problems.append(f"{exact} exact tallies in {rounds.done} rounds")
    figures = {DONE[name]: number for name, number in rounds.sums.items()}
    if not options.no_eaters:
        figures |= {kind: log.count(line) for line, kind in KILLS.items()}
    for what, number in figures.items():
        say(f"    {number:10} {what}")
    # The figures that the test adds to the sum of all tests.
    loads = sum(rounds.sums[f"load:{name}"] for name in MODULES)
    say(f"figures: {rounds.sums['ops']} operations, {loads} loads")
    # In a few rounds, the effect of exhausted memory is random.
    problems += [f"no {what}" for what, number in figures.items() if not number and (what != DONE["faults"] or rounds.done > 3)]
    if f"sheaf {SHEAVES[target.name]}" not in rounds.words:
        problems.append("the cache's sheaves have not the capacity that was asked for")
    if target.name == "debug" and "scan 2" not in rounds.words:
        problems.append("kmemleak has not scanned twice")
    return [*problems, *dmesg.faults(log, SAID, BAD), *dmesg.unended(log)]
