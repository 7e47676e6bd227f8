# SPDX-License-Identifier: GPL-2.0-only
"""kalloc_watch counts a module with known allocations, and follows the commands of the watch list: on the stock kernel, or
--kernel.
"""

import json
import re
from typing import Any

import pytest

from kalloc_dev.core.paths import TREE
from kalloc_dev.core.prepare import set_up
from kalloc_dev.test.session import Session, in_guest

pytestmark = pytest.mark.long

KERNEL = "stock"
SCRIPT = TREE / "tests/guest/watch/planted.sh"
# The counts of tests/modules/watched/kalloc_watched.c.
BLOCKS, LEAKED, LARGE, FAR = 20, 13, 5000, 300
# The function whose first block is freed unseen. It allocates until another block has the same address.
UNSEEN = "watched_unseen"
# The elements of an array that a probe looks at.
ELEMENTS = 4096
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
    "watched_large_bulk": ("cache", LARGE, 0),
    # A page of the array is allocated twice, and counted as freed elsewhere once.
    "watched_pages_far": ("pages", FAR + 1, 0),
    "watched_pages_refill": ("pages", 1, 0),
    "watched_in_place": ("kmalloc", 1, 0),
    "watched_interrupt": ("kmalloc", 1, 0),
    "watched_leak": ("kmalloc", LEAKED, LEAKED),
    # The call in watched_tail_call() is a jump.
    "watched_tail_caller": ("kmalloc", 1, 0),
}

UNRETURNED = "kalloc: a probed function has not returned; the memory of its probe is not freed"

# On kernels with kmemleak.
PLANTED_LEAK = r"^kmemleak: \d+ new suspected memory leaks"
LOCKED = (r"^Lockdown: ", r"^Kernel is locked down from securityfs")

Site = dict[str, Any]


def sites(text: str) -> list[Site]:
    """Returns the sites in the lines of JSON of a section."""
    return [json.loads(line) for line in text.splitlines() if line.startswith("{")]


def by_function(text: str) -> dict[str, tuple[str, int, int]]:
    """Returns the family, the allocations and the live blocks of each function whose counts are known."""
    found: dict[str, tuple[str, int, int]] = {}
    for site in sites(text):
        if site["function"] == UNSEEN:
            continue
        _, allocs, live = found.get(site["function"], ("", 0, 0))
        found[site["function"]] = (site["family"], allocs + site["allocs"], live + site["live"])
    return found


@pytest.fixture(scope="module")
def session(kernel_name: str) -> Session:
    """Returns the guest with the planted module."""
    set_up(kernel_name)
    return in_guest("sh /planted.sh", "--kernel", kernel_name, "--timeout", "900", "--cpus", "4", "--add", f"{SCRIPT}:/")


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
    assert {site["function"]: site["section"] for site in sites(shown["unloaded"])} == \
        {name: "init" if name == "watched_early" else "text" for name in (*PLANTED, UNSEEN)}
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


def test_unseen_free(shown: dict[str, str]) -> None:
    """A free that no probe sees is counted when the address is allocated again: no number drifts."""
    site, = (site for site in sites(shown["unloaded"]) if site["function"] == UNSEEN)
    assert site["allocs"] == site["frees"] >= 2 and site["frees_elsewhere"] == 1, site
    assert (site["live"], site["live_bytes"], site["lost"]) == (0, 0, 0), site
    assert {size["up_to"]: (size["allocs"], size["frees"]) for size in site["sizes"]} == {16384: (site["allocs"], site["frees"])}


def test_long_array(shown: dict[str, str]) -> None:
    """A probe looks at a limited number of elements of an array; the others are lost."""
    site, = (site for site in sites(shown["unloaded"]) if site["function"] == "watched_large_bulk")
    assert (site["allocs"], site["frees"], site["lost"], site["live_bytes"]) == (LARGE, ELEMENTS, LARGE - ELEMENTS, 0), site


def test_older_blocks(shown: dict[str, str]) -> None:
    """Blocks that are older than the watch are not counted, and neither are their frees."""
    assert shown["older"].startswith("0 ") and not sites(shown["older"]), shown["older"]


def test_lockdown(shown: dict[str, str]) -> None:
    """In lockdown, the counts are readable, and the watch list is not, which has commands."""
    table, *refused = (line for line in shown["lockdown"].splitlines())
    assert table.startswith("kalloc_watched/watched_leak+0x") and table.split()[1] == "6", table
    site = json.loads(refused.pop())
    assert site["live"] == 6, site
    assert len(refused) == 2 and all(line.startswith("1 ") and "Operation not permitted" in line for line in refused), refused


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
    assert functions == {f"kalloc_watched/{name}": live if name == "watched_leak" else 0 for name in (*PLANTED, UNSEEN)}
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
    """The whole kernel is watched, without a lost block but those of a long array."""
    assert shown["all"].startswith("0 ") and "all all loaded" in shown["all"]
    assert f"lost {LARGE - ELEMENTS}; unattributed 0" in shown["all"], shown["all"]
    assert int(shown["all"].splitlines()[-1]) >= 50


def test_jumps_in_allocators(shown: dict[str, str]) -> None:
    """If an allocator jumps to another one, the whole kernel has no row of ftrace's trampoline."""
    found = sites(shown["all-sites"])
    own = by_function(shown["all-sites"])
    # The kernel allocates for the module, and one allocator calls another one.
    names = {site["function"]: site for site in found if site["module"] == "vmlinux"}
    assert names["kasprintf"]["allocs"] >= 1 and "watched_string" not in own
    inner = names["kvrealloc_node_align_noprof"]
    assert inner["allocs"] >= 1 and inner["frees_elsewhere"] >= 1 and inner["live"] == 0, inner
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
    session.check_log((r"^kalloc_watch: modules: a/b cannot be watched \(EINVAL\)$", f"^{UNRETURNED}$", PLANTED_LEAK, *LOCKED))
