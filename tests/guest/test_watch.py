# SPDX-License-Identifier: GPL-2.0-only
"""kalloc_watch counts what unmodified modules of the distribution allocate: on the stock kernel.

The oracle is ftrace's histogram of the tracepoints of kmalloc and of slab caches, by call site.
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
# The families that the oracle's tracepoints cover.
TRACED = ("kmalloc", "cache")
HISTOGRAM = re.compile(r"call_site: *(?:0x)?([0-9a-f]+) *\} hitcount: +(\d+)")
# The counts of tests/modules/watched/kalloc_watched.c.
BLOCKS, LEAKED = 20, 13
PLANTED = {
    "watched_early": ("kmalloc", 1, 0),
    "watched_rcu": ("kmalloc", BLOCKS, 0),
    "watched_bulk": ("cache", BLOCKS, 0),
    "watched_cache_bulk_free": ("cache", BLOCKS, 0),
    "watched_pages": ("pages", BLOCKS, 0),
    "watched_pages_partly": ("pages", BLOCKS // 2, 0),
    "watched_array": ("vmalloc", 1, 0),
    "watched_free_pages": ("pages", 1, 0),
    "watched_vmalloc": ("vmalloc", 1, 0),
    "watched_kvmalloc": ("vmalloc", 1, 0),
    "watched_kvmalloc_small": ("kmalloc", 1, 0),
    "watched_percpu": ("percpu", 1, 0),
    "watched_krealloc": ("kmalloc", 2, 0),
    "watched_kvrealloc": ("kmalloc", 2, 0),
    "watched_leak": ("kmalloc", LEAKED, LEAKED),
    # The call in watched_tail_call() is a jump.
    "watched_tail_caller": ("kmalloc", 1, 0),
}

UNRETURNED = "kalloc_probe_reuse: a probed function has not returned; the memory of its probe is not freed"

HOWTO = TREE / "Documentation/howto/who-holds-memory.rst"

Site = dict[str, Any]


def sites(text: str) -> list[Site]:
    """Returns the sites in the lines of JSON of a section."""
    return [json.loads(line) for line in text.splitlines() if line.startswith("{")]


def by_function(text: str) -> dict[str, tuple[str, int, int]]:
    """Returns the family, the allocations and the live blocks of each function."""
    found: dict[str, tuple[str, int, int]] = {}
    for site in sites(text):
        _, allocs, live = found.get(site["function"], ("", 0, 0))
        found[site["function"]] = (site["family"], allocs + site["allocs"], live + site["live"])
    return found


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
    for cache in ("kmalloc", "cache"):
        for address, count in HISTOGRAM.findall(texts[f"{name}-{cache}"]):
            found[int(address, 16)] = found.get(int(address, 16), 0) + int(count)
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
    traced = [site for site in before if site["family"] in TRACED]
    for site in traced:
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
    good = before and not lost and not live and equal >= EQUAL * (len(traced) + len(missing))
    return Case(f"watch {name}", "passed" if good else "failed", "".join(f"    {line}\n" for line in problems), figures)


def test_modules(machine: Session, report: Reporter) -> None:
    """Each module's sites have the oracle's counts, and no live block after its unload."""
    texts = machine.sections()
    report(judged(texts, name) for name in MODULES)


def test_built_in(machine: Session, report: Reporter) -> None:
    """The sites of built-in code have the oracle's counts."""
    report(judged_built_in(machine.sections()))


def judged_built_in(texts: dict[str, str]) -> Iterator[Case]:
    """Yields the case of built-in code, whose functions the list of symbols has."""
    start = {name: int(address, 16) for address, _, name in
             (line.split()[:3] for line in texts[f"{BUILT_IN}-symbols"].splitlines())}
    found = [site for site in sites(texts[f"{BUILT_IN}-sites"]) if site["family"] in TRACED]
    oracle = counted(texts, BUILT_IN)
    problems = [f"{site['name']}: {site['allocs']} allocations, the oracle has {expected}" for site in found
                if (expected := oracle.get(start.get(site["function"], 0) + site["offset"], 0)) != site["allocs"]]
    equal = len(found) - len(problems)
    figures = f"{len(found)} call sites, {sum(site['allocs'] for site in found)} allocations, {equal} equal to the oracle"
    yield Case(f"watch {BUILT_IN}", "passed" if found and equal >= EQUAL * len(found) else "failed",
               "".join(f"    {line}\n" for line in problems), figures)


def test_idle_after_unload(machine: Session) -> None:
    """Without watched code, no probe is registered; without entries, nothing is kept. The helper unloads."""
    texts = machine.sections()
    assert "# probes off" in texts["idle"], texts["idle"]
    assert texts["list"].startswith("# name kind state code\n# probes off; rows by site; sites 0 of"), texts["list"]
    assert texts["unload"] == "0\n"
    machine.check_log()


# --- a module with known counts -----------------------------------------------------------------------

@pytest.fixture(scope="module")
def session() -> Session:
    """Returns the guest with the planted module."""
    return in_guest("sh /planted.sh", "--timeout", "600", "--cpus", "4", "--add", f"{SCRIPTS / 'planted.sh'}:/")


def test_refused(shown: dict[str, str]) -> None:
    """Each bad parameter fails."""
    assert [line[0] for line in shown["refused"].splitlines()] == list("1111"), shown["refused"]


def test_idle(shown: dict[str, str]) -> None:
    """Without code to watch, no probe is registered, and the table has only its header."""
    assert shown["load"].startswith("0 ")
    assert shown["mode"].split() == ["400", "0", "600", "0", "400", "0"]
    assert "kalloc_watched module waiting 0\n# probes off; rows by site; sites 0 of 2048; blocks 0 of 458752;" in shown["idle"]
    header, end = shown["idle"].split("slabinfo - version: 2.1\n# name ")[1].splitlines()
    assert header.endswith("<sharedavail>") and end == "0 "


def test_planted(shown: dict[str, str]) -> None:
    """Each function's allocations are counted, and only the leak stays."""
    assert by_function(shown["unloaded"]) == PLANTED
    early = by_function(shown["loaded"])
    assert early.pop("watched_early") == ("kmalloc", 1, 1)
    assert {name: counts for name, counts in PLANTED.items() if name != "watched_early"} == early


def test_leak_is_named(shown: dict[str, str]) -> None:
    """The table names the function that leaks, and has the number of its blocks."""
    rows = {line.split()[0]: int(line.split()[1]) for line in shown["table"].splitlines()[2:]}
    assert rows[next(name for name in rows if name.startswith("kalloc_watched/watched_leak+0x"))] == LEAKED
    assert all(len(line.split()) == 16 and len(line.split()[0]) < 64 and ":" not in line.split()[0]
               for line in shown["table"].splitlines()[2:])


def test_frees_by_others(shown: dict[str, str]) -> None:
    """Frees by other code than the module's are told apart."""
    elsewhere = {site["function"]: site["frees_elsewhere"] for site in sites(shown["unloaded"])}
    assert elsewhere["watched_rcu"] == elsewhere["watched_bulk"] == elsewhere["watched_vmalloc"] == 0, elsewhere
    # krealloc() frees the old block.
    assert sum(site["frees_elsewhere"] for site in sites(shown["unloaded"]) if site["function"] == "watched_krealloc") == 1


def test_reload(shown: dict[str, str]) -> None:
    """A module that is loaded again continues its rows."""
    twice = by_function(shown["reloaded"])
    assert twice.pop("watched_leak") == ("kmalloc", LEAKED + 4, LEAKED + 4)
    assert twice == {name: (family, 2 * allocs, 0) for name, (family, allocs, _) in PLANTED.items()
                     if name != "watched_leak"}


def test_groups(shown: dict[str, str]) -> None:
    """Rows are also grouped by function and by module."""
    live = LEAKED + 4
    functions = {line.split()[0]: int(line.split()[1]) for line in shown["by-function"].splitlines()[3:]}
    assert functions == {f"kalloc_watched/{name}": live if name == "watched_leak" else 0 for name in PLANTED}
    module, = shown["by-module"].splitlines()[3:]
    assert module.split()[:2] == ["kalloc_watched", str(live)]
    assert len(shown["ungrouped"].splitlines()) > len(PLANTED)


def test_commands(shown: dict[str, str]) -> None:
    """Each bad command fails; the removal of the last entry drops the rows and the probes."""
    lines = shown["commands"].splitlines()
    assert len(lines) == 13 and all(line.startswith("1 ") for line in lines), lines
    assert "File exists" in lines[4] and "No such file" in lines[8], lines
    assert shown["removed"].startswith("0 ") and "# probes off" in shown["removed"]
    assert not sites(shown["removed"])


def test_code_of_modules(shown: dict[str, str]) -> None:
    """Addresses and functions of a module are no built-in code: other code may have the addresses later."""
    lines = shown["module-code"].splitlines()
    assert len(lines) == 3 and all(line.startswith("1 ") and "Invalid argument" in line for line in lines), lines


def test_added_while_loaded(shown: dict[str, str]) -> None:
    """A module that is added before the kernel lists it in sysfs is watched from its initialization on."""
    assert shown["coming"].startswith("0 ")
    assert by_function(shown["coming"]) == PLANTED | {"watched_leak": ("kmalloc", 3, 3), "watched_early": ("kmalloc", 1, 1)}


def test_probe_is_reused(shown: dict[str, str]) -> None:
    """The memory of a probe is reused after all calls that the probe has entered have returned, and else never."""
    assert shown["reuse-3000"].endswith("entered 1, left 1, reused 1, left 0 later\n"), shown["reuse-3000"]
    assert UNRETURNED in shown["reuse-8000"], shown["reuse-8000"]
    assert shown["reuse-8000"].endswith("entered 1, left 0, reused 0, left 0 later\n"), shown["reuse-8000"]


def test_built_in_functions(shown: dict[str, str]) -> None:
    """Built-in code is watched by the names of functions."""
    found = by_function(shown["built-in"])
    assert found.keys() == {"__d_alloc", "alloc_fs_context"} and found["alloc_fs_context"][1] >= 3, found
    assert "mounts addresses loaded" in shown["built-in"]


def test_loaded_before(shown: dict[str, str]) -> None:
    """A module that is already loaded is watched from then on."""
    assert "kalloc_exercise module loaded" in shown["late"]
    assert sum(allocs for _, allocs, _ in by_function(shown["late"]).values()) >= 10


def test_members(shown: dict[str, str]) -> None:
    """A site has the members of sites.json, so that the same programs read both; its sizes add up."""
    own = sites(shown["own-info"])[0]
    for site in sites(shown["own-watch"]):
        assert own.keys() - {"cpus"} <= site.keys() and site["failures"].keys() == own["failures"].keys()
        assert site["peak"] >= site["live"] and site["peak_bytes"] >= site["live_bytes"], site
        assert [sum(size[key] for size in site["sizes"]) for key in ("allocs", "frees")] == [site["allocs"], site["frees"]], site


def test_own_counters(shown: dict[str, str]) -> None:
    """A watched module of kalloc has the live blocks that it counts itself."""
    own = {site["name"]: site for site in sites(shown["own-info"]) if site["name"].startswith("exercise_")}
    watched = sites(shown["own-watch"])
    for name, functions in (("exercise_kbox", "kbox"), ("exercise_vbox", "vbox"), ("exercise_cache", "cache")):
        live = sum(site["live"] for site in watched if re.search(rf"8workload\d+{functions}$", site["function"]))
        assert live == own[name]["live"], (name, live, own[name]["live"])


def test_whole_kernel(shown: dict[str, str]) -> None:
    """The whole kernel is watched, without a lost block."""
    assert shown["all"].startswith("0 ") and "all all loaded" in shown["all"]
    assert "lost 0; unattributed 0" in shown["all"], shown["all"]
    assert int(shown["all"].splitlines()[-1]) >= 50


def test_jumps_in_allocators(shown: dict[str, str]) -> None:
    """If an allocator jumps to another one, the whole kernel has no row of ftrace's trampoline."""
    found = sites(shown["all-sites"])
    own = by_function(shown["all-sites"])
    assert own["watched_array"] == ("vmalloc", 1, 0) and own["watched_kvrealloc"] == ("kmalloc", 2, 0)
    twice = [site for site in found if site["family"] == "vmalloc" and site["module"] == "vmlinux" and site["frees_elsewhere"]]
    assert not twice, twice


def test_seek(shown: dict[str, str]) -> None:
    """The text is the same for every way of reading."""
    assert shown["seek"] == "same\n" * 4


def test_private(shown: dict[str, str]) -> None:
    """Only root can read the files."""
    assert all(line.startswith("1 ") and "Permission denied" in line for line in shown["nobody"].splitlines())
    assert len(shown["nobody"].splitlines()) == 3


def test_full_table(shown: dict[str, str]) -> None:
    """A table that is too small counts the blocks that it loses; live is a lower bound."""
    first, last = sites(shown["full"])
    assert first["allocs"] == 20000 and first["lost"] > 20000 - 7168
    assert first["live"] == 20000 - first["lost"] == last["live"]
    assert re.search(r"lost [1-9]", shown["full"])


def test_stress(shown: dict[str, str]) -> None:
    """Under load on four processors, no block is lost but those that the counters report."""
    summary, count, *found = shown["stress"].splitlines()
    blocks, live, lost = (int(re.search(pattern, summary)[1])  # type: ignore[index]
                          for pattern in (r"blocks (\d+)", r"live (\d+)", r"lost (\d+)"))
    # Blocks are allocated and freed between the readings of the two numbers.
    assert abs(blocks - live) <= 20 and lost > 0, summary
    leak, = sites("\n".join(found))
    assert count == "1" and leak["allocs"] == 12 * 20 and leak["live"] + leak["lost"] == 12 * 20, leak


def test_unload(session: Session, shown: dict[str, str]) -> None:
    """The helper unloads, and leaves no file and no warning."""
    assert shown["unload"].startswith("0 ") and shown["unload"].endswith("\n2\n")
    session.check_log((r"^kalloc_watch: modules: a/b cannot be watched \(EINVAL\)$", f"^{UNRETURNED}$"))


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
