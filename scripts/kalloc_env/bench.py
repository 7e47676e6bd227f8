# SPDX-License-Identifier: GPL-2.0
"""What `make bench` does: boots, measures, compares, and judges.

In the guest an instruction takes a nanosecond (QEMU's -icount), so that what the kernel
measures as time is a number of instructions, the same on every machine.
"""

import argparse
import io
import json
import os
import re
from collections.abc import Iterable
from dataclasses import asdict, dataclass

from . import bench_report, modules
from .bench_bounds import BOUNDS, Verdict
from .guest import Guest, boot
from .kernels import Kernel, kernel
from .paths import BUILD
from .say import Failure, say
from .setup import set_up

READ = "reading"
GROUPS = ("kmalloc", "vec", "cache", "pages", "vmalloc", "accounting", READ)
# No randomness, and no zeroing of what is allocated, which would hide what the calls cost.
# The last one lets the kernel's own profiler be turned on later, where there is one.
APPEND = "nokaslr init_on_alloc=0 sysctl.vm.mem_profiling=0"
# The kernel's own profiler of allocations, on and off within one boot.
PROFILER = "/proc/sys/vm/mem_profiling"
COMMAND = """
modprobe kalloc_bench || exit 10
cd /sys/kernel/debug/kalloc
measure() {{
    for group in {groups}; do
        echo "= $group $1"
        echo $group > bench || exit 11
        cat bench || exit 11
    done
}}
measure off
if [ -e {profiler} ]; then
    echo 1 > {profiler} || exit 13
    measure on
fi
cd /
rmmod kalloc_bench || exit 12
{reading}
rmmod kalloc || exit 12
"""
# What a row costs a reader: many reads by one process, and as many of a file with no rows, each
# between two marks in the kernel's log, whose clock counts microseconds, a thousand instructions.
READING = """
for sites in 10 100 1000 10000; do
    modprobe kalloc_many sites=$sites || exit 14
    for file in /proc/kallocinfo /sys/kernel/debug/kalloc/sites.json; do
        files=; nothing=; i=0
        while [ $i -lt $((20000 / sites)) ]; do
            files="$files $file"; nothing="$nothing /dev/null"; i=$((i + 1)); [ $i = 1000 ] && break
        done
        echo "mark $sites $i $file" >/dev/kmsg
        cat $files >/dev/null
        echo "mark 0 0 -" >/dev/kmsg
        cat $nothing >/dev/null
        echo "mark 0 0 end" >/dev/kmsg
    done
    rmmod kalloc_many || exit 12
done
echo "= reading off"
dmesg | sed -n 's/^\\[ *\\([0-9.]*\\).*] mark /mark \\1 /p'
"""
MEANING = {10: "the module does not load", 11: "a scenario failed", 12: "the module does not unload",
           13: "the kernel's profiler cannot be turned on", 14: "the module of many sites does not load",
           124: "the guest takes too long", 126: "the guest died"}
MARK = re.compile(r"mark ([\d.]+) (\d+) (\d+) (\S+)")
LINE = re.compile(r"\s*(\d+) (c|kalloc|uncounted|upstream)\s+(-?[\d.]+)\s+(-?[\d.]+) (.+)")


@dataclass(frozen=True)
class Result:
    """One scenario on one side: instructions for allocating and freeing one block."""

    group: str
    scenario: str
    param: int
    side: str
    least: float
    median: float
    profiling: bool


def reading(text: str) -> Iterable[Result]:
    """What a row costs, from the marks in a guest's log."""
    marks = [(float(at), int(sites), int(reads), file) for at, sites, reads, file in MARK.findall(text)]
    for start, middle, end in zip(marks[::3], marks[1::3], marks[2::3]):
        _, sites, reads, file = start
        seconds = (middle[0] - start[0]) - (end[0] - middle[0])
        row = seconds * 1e9 / (sites * reads)
        yield Result("reading", f"a row of {file}", sites, "kalloc", row, row, False)


def parse(text: str) -> Iterable[Result]:
    """The results that a guest printed."""
    group, profiling = "", False
    for line in text.splitlines():
        if line.startswith("= "):
            _, group, state = line.split()
            profiling = state == "on"
        elif match := LINE.fullmatch(line):
            param, side, least, median, scenario = match.groups()
            yield Result(group, scenario, int(param), side, float(least), float(median), profiling)


def measure(target: Kernel, groups: Iterable[str], timeout: float) -> list[Result]:
    """Boots and measures."""
    wanted = [group for group in groups if group != READ]
    command = COMMAND.format(groups=" ".join(wanted), profiler=PROFILER,
                             reading=READING if READ in groups and target.name == modules.MANY_SITES else "")
    text = io.BytesIO()
    ended = boot(Guest(target, command, cpus=1, icount=True, append=APPEND, timeout=timeout,
                       modules=modules.image(target)), text)
    if ended.status:
        raise Failure(MEANING.get(ended.status, f"the guest's status is {ended.status}"), ended.log)
    said = text.getvalue().decode()
    results = [*parse(said), *reading(said)]
    if not results:
        raise Failure("the guest printed no results", ended.log)
    return results


def main(words: list[str]) -> int:
    """Measures; the status is 1 if a bound is broken."""
    parser = argparse.ArgumentParser(prog="scripts/bench", description=__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("groups", nargs="*", metavar="GROUP", help=f"of {', '.join(GROUPS)} (default: all)")
    parser.add_argument("--kernel", default=os.environ.get("KERNEL") or "bench", choices=("bench", "stock", "prof"),
                        help="bench: ours; stock: Debian's; prof: ours with the kernel's own profiler "
                             "(default: $KERNEL, or bench)")
    parser.add_argument("--timeout", type=float, default=540, metavar="S", help="seconds for all scenarios")
    options = parser.parse_args(words)
    if unknown := set(options.groups) - set(GROUPS):
        parser.error(f"no group {' or '.join(sorted(unknown))}")

    target = kernel("prof") if options.kernel == "prof" else set_up(options.kernel)[0]
    results = measure(target, options.groups or GROUPS, options.timeout)
    verdicts = [verdict for bound in BOUNDS for verdict in bound.judge(results)]
    write(target, results, verdicts)

    print(bench_report.table(results))
    print(bench_report.judgement(verdicts))
    broken = [verdict for verdict in verdicts if not verdict.ok]
    say(f"==> {len(verdicts) - len(broken)} bounds hold, {len(broken)} are broken, on Linux {target.release}")
    return 1 if broken else 0


def write(target: Kernel, results: list[Result], verdicts: list[Verdict]) -> None:
    """Leaves the results in build/."""
    suffix = "" if target.name == "bench" else f"-{target.name}"
    tree = modules.tree_of(target)
    about = {
        "kernel": target.name,
        "release": target.release,
        "compiler": tree.config("CC_VERSION_TEXT"),
        "rustc": tree.config("RUSTC_VERSION_TEXT"),
        "unit": "instructions per allocation and free",
        "results": [asdict(result) for result in results],
        "bounds": [asdict(verdict) for verdict in verdicts],
    }
    paths = [BUILD / f"bench{suffix}.json", BUILD / f"bench{suffix}.rst"]
    paths[0].write_text(json.dumps(about, indent=1) + "\n")
    paths[1].write_text(bench_report.rst(results, verdicts))
    for family, picture in bench_report.charts(results):
        paths.append(BUILD / f"bench{suffix}-{family}.svg")
        paths[-1].write_text(picture)
    say("    written: " + " ".join(str(path.relative_to(BUILD.parent)) for path in paths))
