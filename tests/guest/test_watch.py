# SPDX-License-Identifier: GPL-2.0-only
"""kalloc_watch counts what unmodified modules of the distribution allocate: on the stock kernel.

The oracle is ftrace's histograms, by call site, of the tracepoints of kmalloc and of slab caches, and of
events at the returns of the allocators of pages, vmalloc and per-CPU memory.
"""

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest

from kalloc_dev.bench import watch
from kalloc_dev.bench.bounds import BOUNDS
from kalloc_dev.core.paths import TREE
from kalloc_dev.core.prepare import set_up
from kalloc_dev.kernel import debian
from kalloc_dev.package import kalloctop
from kalloc_dev.test.plugin import Reporter
from kalloc_dev.test.result import Case
from kalloc_dev.test.session import Session, in_guest
from kalloc_dev.toolchain.crates import Unreachable

pytestmark = pytest.mark.long

SCRIPTS = TREE / "tests/guest/watch"
PACKAGES = "xfsprogs,btrfs-progs,nftables,iproute2,squashfs-tools,e2fsprogs,mount,iputils-ping,attr,procps"
MODULES = ("null_blk", "zram", "veth", "overlay", "squashfs", "nf_tables", "nf_conntrack", "xfs", "btrfs", "brd")
BUILT_IN = "ext4"
# The smallest part of the sites whose counts must be those of the oracle.
EQUAL = 0.995
HISTOGRAM = re.compile(r"(?:call_site|caller|__probe_ret_ip): *(?:0x)?([0-9a-f]+) *\} hitcount: +(\d+)(?: +r: +(\d+))?")
HOWTO = TREE / "Documentation/howto/who-holds-memory.rst"

Site = dict[str, Any]


def sites(text: str) -> list[Site]:
    """Returns the sites in the lines of JSON of a section."""
    return [json.loads(line) for line in text.splitlines() if line.startswith("{")]


# --- modules of the distribution ----------------------------------------------------------------------

@pytest.fixture(scope="module")
def machine() -> Session:
    """Returns the guest with the distribution's modules."""
    stock, = set_up("stock")
    return in_guest("sh /modules.sh", "--timeout", "1500", "--memory", "3072", "--packages", PACKAGES,
                    "--add", f"{debian.modules() / 'kernel'}:/usr/lib/modules/{stock.release}/kernel",
                    "--add", f"{SCRIPTS / 'modules.sh'}:/")


def counted(texts: dict[str, str], name: str) -> dict[int, int]:
    """Returns the oracle's allocations by address."""
    found: dict[int, int] = {}
    assert not (dropped := re.findall(r"Dropped: [1-9]\d*", texts[f"{name}-oracle"])), dropped
    for address, calls, pages in HISTOGRAM.findall(texts[f"{name}-oracle"]):
        found[int(address, 16)] = found.get(int(address, 16), 0) + int(pages or calls)
    return found


def bases(texts: dict[str, str], name: str) -> tuple[dict[str, int], int]:
    """Returns the addresses of a module's code, and its length."""
    lines = [line.split() for line in texts[f"{name}-code"].splitlines()]
    found = {line[0]: int(line[1], 16) for line in lines if len(line) == 2}
    return {"text": found[".text"] & ~0xfff, "init": found.get(".init.text", 0) & ~0xfff}, int(lines[0][3])


def judged(texts: dict[str, str], name: str) -> Case:
    """Returns the case of a module."""
    before, after = sites(texts[f"{name}-sites"]), sites(texts[f"{name}-unloaded"])
    base, length = bases(texts, name)
    oracle = counted(texts, name)
    problems, equal = [], 0
    for site in before:
        expected = oracle.pop(base[site["section"]] + site["at"], 0)
        if expected == site["allocs"]:
            equal += 1
        else:
            problems.append(f"{site['name']}: {site['allocs']} allocations, the oracle has {expected}")
    missing = {at: count for at, count in oracle.items() if base["text"] <= at < base["text"] + length}
    problems += [f"a site at {at - base['text']:#x} is missing, with {count} allocations" for at, count in missing.items()]
    live = sum(site["live"] for site in after)
    problems += [f"{site['name']}: {site['live']} live after unload" for site in after if site["live"]]
    lost = sum(site["lost"] for site in after)
    allocs = sum(site["allocs"] for site in before)
    figures = f"{len(before)} call sites, {allocs} allocations, {equal} equal to the oracle, {live} live after unload"
    good = before and len(after) == len(before) and not lost and not live and equal >= EQUAL * (len(before) + len(missing))
    return Case(f"watch {name}", "passed" if good else "failed", "".join(f"    {line}\n" for line in problems), figures)


def test_modules(machine: Session, report: Reporter) -> None:
    """Each module's sites have the oracle's counts, and no live block after its unload."""
    texts = machine.sections()
    report(judged(texts, name) for name in MODULES)


def test_built_in(machine: Session, report: Reporter) -> None:
    """The sites of built-in code have the oracle's counts, and no live block after its last use."""
    report(judged_built_in(machine.sections()))


def judged_built_in(texts: dict[str, str]) -> Iterator[Case]:
    """Yields the case of built-in code, whose functions the list of symbols has."""
    start = {name: int(address, 16) for address, _, name in
             (line.split()[:3] for line in texts[f"{BUILT_IN}-symbols"].splitlines())}
    found = sites(texts[f"{BUILT_IN}-sites"])
    oracle = {at: count for at, count in counted(texts, BUILT_IN).items() if min(start.values()) <= at < max(start.values())}
    problems, equal = [], 0
    for site in found:
        expected = oracle.pop(start.get(site["function"], 0) + site["offset"], 0)
        if expected == site["allocs"]:
            equal += 1
        else:
            problems.append(f"{site['name']}: {site['allocs']} allocations, the oracle has {expected}")
    problems += [f"a site at {at:#x} is missing, with {count} allocations" for at, count in oracle.items()]
    live = sum(site["live"] for site in found)
    problems += [f"{site['name']}: {site['live']} live after unmounting" for site in found if site["live"]]
    allocs = sum(site["allocs"] for site in found)
    figures = f"{len(found)} call sites, {allocs} allocations, {equal} equal to the oracle, {live} live after unmounting"
    good = found and not live and not any(site["lost"] for site in found) and equal >= EQUAL * (len(found) + len(oracle))
    yield Case(f"watch {BUILT_IN}", "passed" if good else "failed", "".join(f"    {line}\n" for line in problems), figures)


def test_idle_after_unload(machine: Session) -> None:
    """Without watched code, no probe is registered; without entries, nothing is kept. The helper unloads."""
    texts = machine.sections()
    assert "# probes off" in texts["idle"], texts["idle"]
    assert texts["list"].startswith("# name kind state code\n# probes off; rows by site; sites 0 of"), texts["list"]
    assert texts["unload"] == "0\n"
    machine.check_log()


# --- the documentation --------------------------------------------------------------------------------

def test_howto() -> None:
    """The commands of the how-to lead from the machine to the function that leaks."""
    try:
        kalloctop.made()
    except Unreachable as reason:
        pytest.skip(f"kalloctop cannot be built: {reason}")
    caches, modules, functions = (command.replace("-t 60", "-t 8") for command in
                                  re.findall(r"^ +# (.*)$", HOWTO.read_text(), re.M))
    leak = "while modprobe kalloc_watched leak=3000; do rmmod kalloc_watched; sleep 0.1; done & leak=$!"
    done = in_guest(f"echo @@ caches; {caches}; {leak}; echo @@ modules; {modules}; echo @@ functions; {functions}; "
                    f"kill $leak; wait; echo @@ loaded; lsmod | grep -c '^kalloc'",
                    "--timeout", "400", status=1)
    texts = done.sections()
    found = {name: [line.split() for line in text.splitlines()[3:] if line.strip()] for name, text in texts.items()}
    assert "kalloc_watched" in [row[0] for row in found["modules"][:3]], texts["modules"]
    name, live = found["functions"][0][:2]
    assert name == "kalloc_watched/watched_leak" and int(live) >= 3000, texts["functions"]
    assert len(found["caches"]) == 10, texts["caches"]
    assert texts["loaded"] == "0\n", texts["loaded"]
    done.check_log()


# --- costs --------------------------------------------------------------------------------------------

def test_costs(report: Reporter) -> None:
    """Allocations of other code, of watched code and of the whole kernel stay within the bounds of make bench; without a
    watch, nothing changes.
    """
    results = watch.measure(timeout=900)
    verdicts = [verdict for bound in BOUNDS for verdict in bound.judge(results)]
    assert len(verdicts) == 5, verdicts
    report(Case(verdict.what, "passed" if verdict.ok else "failed", f"    {results}\n",
                f"{verdict.measured:.0f} of at most {verdict.limit:.0f} instructions" if verdict.unit == "instructions" else
                f"{100 * verdict.measured:.0f} of at most {100 * verdict.limit:.0f} percent") for verdict in verdicts)
