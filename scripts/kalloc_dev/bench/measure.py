# SPDX-License-Identifier: GPL-2.0-only
"""Benchmark runs in guests, and the parser of their output.

With QEMU's -icount an instruction takes a nanosecond of guest time. A time that the kernel measures
is then a number of instructions, the same on every machine. Without -icount it is a real time.
"""

import io
import re
from collections.abc import Collection, Iterable
from dataclasses import replace

from kalloc_dev.bench import watch
from kalloc_dev.bench.result import Result
from kalloc_dev.guest import kvm
from kalloc_dev.guest.qemu import Guest, boot, icount_shift
from kalloc_dev.kernel.build import Kernel
from kalloc_dev.modules import kbuild
from rust_kbuild.console import Failure

READ, SITES, CONCURRENT = "reading", "sites", "concurrent"
# The groups of kalloc_bench.ko, and the groups that need more than a write to its file.
PLAIN = ("kmalloc", "vec", "arc", "arena", "cache", "pages", "vmalloc", "accounting", "live", "drops")
GROUPS = (*PLAIN, CONCURRENT, SITES, READ, watch.GROUP)
CPUS = (1, 2, 4, 8)
# No randomness, and no zeroing of allocated memory, which would hide the cost of the calls. All
# processors count the same instructions, although the kernel cannot detect that. With the last
# parameter, the script can turn on the kernel's profiler later, if the kernel has one.
APPEND = "nokaslr init_on_alloc=0 tsc=reliable sysctl.vm.mem_profiling=0"
# The switch of the kernel's allocation profiler, which is off and then on within one boot.
PROFILER = "/proc/sys/vm/mem_profiling"
COMMAND = """
# The work that the kernel defers during boot takes a share of the processor's instructions.
quiet=0
while [ $quiet -lt 5 ]; do
    sleep 0.1
    read -r _ _ _ running _ </proc/loadavg
    [ "${{running%/*}}" = 1 ] && quiet=$((quiet + 1)) || quiet=0
done
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
{sites}
cd /
rmmod kalloc_bench || exit 12
{reading}
rmmod kalloc || exit 12
"""
# One scenario, while other modules register more and more sites.
AMONG_SITES = """
for sites in 10 100 1000 10000; do
    modprobe kalloc_many_sites sites=$sites || exit 14
    echo "= sites off $sites"
    echo pairs > bench && cat bench || exit 11
    rmmod kalloc_many_sites || exit 12
done
"""
# The cost of reading a row. One process reads the file many times, and then as many times a file
# without rows. Each series is between two marks in the kernel's log, whose clock counts
# microseconds, or a thousand instructions.
READING = """
for sites in 10 100 1000 10000; do
    modprobe kalloc_many_sites sites=$sites || exit 14
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
    rmmod kalloc_many_sites || exit 12
done
echo "= reading off"
dmesg | sed -n 's/^\\[ *\\([0-9.]*\\).*] mark /mark \\1 /p'
"""
MEANING = {10: "the module does not load", 11: "a scenario failed", 12: "the module does not unload",
           13: "the kernel's profiler cannot be turned on", 14: "the module of many sites does not load",
           124: "the guest takes too long", 126: "the guest died"}
MARK = re.compile(r"mark ([\d.]+) (\d+) (\d+) (\S+)")
LINE = re.compile(r"\s*(\d+) (c|kalloc|uncounted|upstream)" + r"\s+(-?[\d.]+)" * 5 + " (.+)")


def _reading(text: str) -> Iterable[Result]:
    """Returns the cost of a row, computed from the marks in a guest's log."""
    marks = [(float(at), int(sites), int(reads), file) for at, sites, reads, file in MARK.findall(text)]
    for start, middle, end in zip(marks[::3], marks[1::3], marks[2::3]):
        _, sites, reads, file = start
        seconds = (middle[0] - start[0]) - (end[0] - middle[0])
        row = seconds * 1e9 / (sites * reads)
        yield Result(READ, f"a row of {file}", sites, "kalloc", row, row, row, row, row, False)


def _parse(text: str) -> Iterable[Result]:
    """Returns the results that a guest printed."""
    group, profiling, sites = "", False, ""
    for line in text.splitlines():
        if line.startswith("= "):
            _, group, state, sites = f"{line} ".split(" ", 3)
            profiling = state == "on"
        elif match := LINE.fullmatch(line):
            param, side, *numbers, scenario = match.groups()
            if group == SITES:
                scenario, param = f"{scenario} among sites", sites
            least, median, most, cycles_least, cycles_median = map(float, numbers)
            yield Result(group, scenario, int(param), side, least, median, most, cycles_least, cycles_median, profiling)


def instructions(target: Kernel, groups: Collection[str], timeout: float) -> list[Result]:
    """Counts instructions on one processor, and for concurrent groups on several."""
    many = target.name == kbuild.MANY_SITES
    plain = [group for group in groups if group in PLAIN]
    sites = AMONG_SITES if SITES in groups and many else ""
    rows = READING if READ in groups and many else ""
    results: list[Result] = []
    if plain or sites or rows:
        command = COMMAND.format(groups=" ".join(plain), profiler=PROFILER, sites=sites, reading=rows)
        text = _run(Guest(target, command, cpus=1, icount=True, timeout=timeout))
        results += [*_parse(text), *_reading(text)]
    for cpus in CPUS if CONCURRENT in groups else ():
        together = f"{CONCURRENT} {CONCURRENT}-pages {CONCURRENT}-ring"
        command = COMMAND.format(groups=together, profiler="/nonexistent", sites="", reading="")
        # The processors run one after another, so the time is the sum of all their instructions.
        ns = 1 << icount_shift(cpus)
        results += (replace(result, scenario=f"{result.scenario}, {cpus} CPUs", least=result.least / ns,
                            median=result.median / ns, most=result.most / ns)
                    for result in _parse(_run(Guest(target, command, cpus=cpus, icount=True, timeout=timeout))))
    if watch.GROUP in groups:
        results += watch.measure(timeout)
    if not results:
        raise Failure("no results: these groups are measured on other kernels")
    return results


def times(target: Kernel, groups: Collection[str], timeout: float) -> list[Result]:
    """Measures nanoseconds and cycles, on a processor that is not emulated if KVM is usable."""
    plain = [group for group in groups if group in PLAIN]
    command = COMMAND.format(groups=" ".join(plain), profiler="/nonexistent", sites="", reading="")
    text = _run(Guest(target, command, cpus=1, kvm=kvm.usable(target), timeout=timeout))
    return list(_parse(text))


def _run(guest: Guest) -> str:
    """Returns the output of a guest."""
    text = io.BytesIO()
    ended = boot(replace(guest, append=APPEND, modules=kbuild.image(guest.kernel)), text)
    if ended.status:
        raise Failure(MEANING.get(ended.status, f"the guest's status is {ended.status}"), ended.log)
    return text.getvalue().decode()
