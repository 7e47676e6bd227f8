# SPDX-License-Identifier: GPL-2.0
"""The soak: rounds of load in one guest, and what must be true after each and after all of them.

A round loads kalloc_stress.ko, whose workers allocate, resize and free through every family in process context,
softirqs and a timer interrupt. Meanwhile all files are read, other modules come and go, processors go offline and
come back, and processes eat memory, in a small group and in the whole guest, until they are killed.

After each round the counters must be the workers' own tally, and the modules must go and leave nothing behind. After
all, memory must be back to the page, and the kernel's log may have nothing but the killings.
"""

import argparse
import re
import time
from math import sqrt
from statistics import median

from . import klog, kvm, modules
from .guest import Guest, boot
from .kernels import Kernel
from .paths import TREE
from .say import Failure, say
from .setup import set_up

GUEST = TREE / "tests" / "stress" / "guest.sh"
COUNTED = ("ops", "loads", "plugs", "reads", "faults")
SHOWN = {"ops": "operations", "loads": "loads and unloads of a module", "plugs": "times that every other CPU went and came",
         "reads": "reads of all files", "faults": "allocations refused", "kills": "processes killed for memory"}
# What may be gone at the end. What the kernel keeps varies from round to round; the median of as many varies by as
# much over the root of their number. And it grows a little: by threads that
# the kernel has made and keeps.
KINDS = ("pages that no list has", "pages of slabs", "pages of vmalloc areas", "objects of kmalloc")
VARIES, GROWS = (250, 400, 60, 900), (10, 100, 10, 100)

# How many objects a processor has at hand of the cache that kalloc_stress asks 200 for; of one that SLUB checks, none.
SHEAVES = {"stock": 200, "debug": 0}

# One pool of workers for all processors. A pool for each has as many threads as once had to wait there at a time,
# and keeps them for minutes: in the first hour the more of them, the more rounds there were.
APPEND = "workqueue.default_affinity_scope=system"

# What the kernel says when memory is gone.
KILLED = (
    *klog.DUMPS,
    r"^\S+ invoked oom-killer: ",
    # The rest of the line may be on its own, in pieces, if another processor said something meanwhile.
    r"^oom-kill:constraint=|^,(cpuset|mems_allowed|(oom|task)_memcg|task)=|^,global_oom|^/(small)?(,|$)|^:$",
    # In the middle of its read of /dev/zero.
    r"^RIP: 0010:(read_zero|clear_user\w*|rep_stos\w*)\+|^RSP: 0018:",
    r"^tail: page allocation failure: order:0, |^warn_alloc: \d+ callbacks suppressed$",
    r"^(Memory cgroup out of memory|Out of memory): Killed process \d+ \(tail\) ",
    r"^oom_reaper: reaped process \d+ \(tail\)",
    r"^memory: usage \d+kB, limit |^swap: usage |^Memory cgroup stats for /small:$",
    r"^[a-z_]+ \d+$",
    r"^Tasks state \(memory values in pages\):$|^\[ *pid *\]",
    r"^\[ *\d+\] ",
    r"^Unreclaimable slab info:$|^Name +Used +Total$|^\S+ +\d+KB +\d+KB$",
    r"^(Free|Total) swap |^Swap cache stats|^\d+ pages (in swap cache|RAM|reserved|hwpoisoned|cma reserved)|^0 pages HighMem",
)


class Rounds:
    """What the guest prints, line by line; also what boot() writes it to."""

    def __init__(self) -> None:
        self.sums = dict.fromkeys((*COUNTED, "kills"), 0)
        self.wrong: list[str] = []
        self.pages: list[tuple[int, ...]] = []
        self.words: list[str] = []
        self.done = 0
        self._left, self._start = b"", time.monotonic()

    def write(self, data: bytes) -> int:
        """Takes some output."""
        *lines, self._left = (self._left + data).split(b"\n")
        for line in lines:
            self._line(line.decode(errors="replace"))
        return len(data)

    def flush(self) -> None:
        """Nothing waits."""

    def _line(self, line: str) -> None:
        self.words.append(line)
        kind, *words = line.split()
        if kind == "wrong:":
            self.wrong.append(line)
            say(f"    {line}")
        elif kind == "pages":
            self.pages.append(tuple(int(word) for word in words if word != "objects"))
            say(f"           {line}")
        elif kind == "round":
            numbers = dict(zip(words[1::2], map(int, words[2::2])))
            for name in COUNTED:
                self.sums[name] += numbers[name]
            self.sums["kills"] = numbers["kills"]
            self.done += 1
            say(f"    {time.monotonic() - self._start:5.0f} s: {line}")

    def lost(self) -> list[str]:
        """What there is less of than there was, if it is more than varies anyway."""
        if len(self.pages) < 2:
            return []
        # The first round fills what the kernel keeps.
        some = max(1, (len(self.pages) - 1) // 3)
        before, after = (map(median, zip(*part)) for part in (self.pages[1:1 + some], self.pages[-some:]))
        gone = [round(new - old) for old, new in zip(before, after)]
        most = [round(varies / sqrt(some)) + grows for varies, grows in zip(VARIES, GROWS)]
        say("    more than in the beginning: " +
            ", ".join(f"{number} {kind} (limit {limit})" for number, kind, limit in zip(gone, KINDS, most)))
        return [f"{number} {kind} are lost" for number, kind, limit in zip(gone, KINDS, most) if number > limit]


def main(words: list[str]) -> int:
    """Runs it; the status is 1 if something is wrong."""
    parser = argparse.ArgumentParser(prog="scripts/soak", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=10.0, metavar="N", help="how long (default: 10)")
    parser.add_argument("--seconds", type=float, metavar="N", help="the same, for short ones")
    parser.add_argument("--rounds", type=int, default=4, metavar="N", help="rounds at least (default: 4)")
    parser.add_argument("--loads", type=int, default=0, metavar="N", help="modules loaded and unloaded at least (default: 0)")
    parser.add_argument("--ops", type=int, default=40000, metavar="N", help="operations in a round, at least (default: 40000)")
    parser.add_argument("--kernel", choices=("stock", "debug"), default="stock", help="default: stock")
    parser.add_argument("--cpus", type=int, default=8, metavar="N", help="processors, 2 at least (default: 8)")
    parser.add_argument("--icount", action="store_true", help="the guest's time is counted in instructions, "
                        "so that a busy machine does not matter; one processor runs at a time")
    parser.add_argument("--memory", type=int, default=256, metavar="M", help="MiB of memory (default: 256)")
    parser.add_argument("--no-eaters", action="store_true", help="nobody takes all memory")
    parser.add_argument("--lose", type=int, default=0, metavar="N",
                        help="have N pages lost in each round, at most 16, to see that it is noticed")
    options = parser.parse_args(words)
    seconds = options.minutes * 60 if options.seconds is None else options.seconds

    target, = set_up(options.kernel)
    rounds = Rounds()
    problems = run(target, options, seconds, rounds)
    for name, number in rounds.sums.items():
        say(f"    {number:10} {SHOWN[name]}")
    say("\n".join(problems) or f"==> {rounds.done} rounds: every counter exact, nothing left behind, on Linux {target.release}")
    return 1 if problems else 0


def run(target: Kernel, options: argparse.Namespace, seconds: float, rounds: Rounds) -> list[str]:
    """Boots the guest; returns what is wrong."""
    variables = (f"rounds={options.rounds} seconds={seconds:.0f} loads={options.loads} ops={options.ops} eaters={0 if options.no_eaters else 1} "
                 f"lost={options.lose}")
    guest = Guest(target, f"{variables}\n{GUEST.read_text()}", cpus=options.cpus, memory=options.memory, append=APPEND,
                  icount=options.icount, kvm=not options.icount and kvm.usable(target),
                  timeout=seconds * 2 + options.loads * 4 + 1200, modules=modules.image(target))
    result = boot(guest, rounds)  # type: ignore[arg-type]
    say(f"    kernel log: {result.log}")
    if result.status:
        raise Failure(f"the guest's status is {result.status}", result.log)
    problems = [*rounds.wrong, *rounds.lost()]
    done = re.findall(r"kalloc_stress: (\d+) operations by 12 workers, [1-9]\d* interrupts: 0 numbers wrong$",
                      result.log.read_text(errors="replace"), re.M)
    exact = sum(int(ops) >= options.ops for ops in done)
    if exact != rounds.done or rounds.done < options.rounds:
        problems.append(f"{exact} exact tallies in {rounds.done} rounds")
    problems += [f"no {SHOWN[name]}" for name, number in rounds.sums.items()
                 if not number and not (name == "kills" and options.no_eaters)]
    if f"sheaf {SHEAVES[target.name]}" not in rounds.words:
        problems.append("the cache's sheaves have not the capacity that was asked for")
    return problems + klog.judge(result.log, KILLED)
