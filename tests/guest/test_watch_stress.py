# SPDX-License-Identifier: GPL-2.0-only
"""kalloc_watch under load on four processors: on the stock kernel, or --kernel; *trace* has the sanitizers.

kalloc_watch_stress.ko counts its blocks itself. Its functions allocate in each way that a watch
sees, and other threads free the blocks on other processors.
"""

import json
import re

import pytest

from kalloc_dev.core.paths import TREE
from kalloc_dev.core.prepare import set_up
from kalloc_dev.test.session import Session, in_guest

pytestmark = pytest.mark.long

KERNEL = "stock"
SCRIPT = TREE / "tests/guest/watch/stress.sh"
BLOCKS = 500000
# The places of the smallest table.
PLACES = 7 << 10
FUNCTIONS = 7


@pytest.fixture(scope="module")
def session(kernel_name: str) -> Session:
    """Returns the guest."""
    set_up(kernel_name)
    return in_guest(f"blocks={BLOCKS} sh /stress.sh", "--kernel", kernel_name, "--timeout", "1500", "--cpus", "4",
                    "--memory", "2048", "--add", f"{SCRIPT}:/")


def counted(text: str) -> tuple[dict[str, int], dict[str, dict[str, int]]]:
    """Returns the numbers of the module, and the sums of the watch, by function."""
    own = {name: int(count) for name, count in re.findall(r"kalloc_watch_stress: (\w+) (\d+)", text)}
    found: dict[str, dict[str, int]] = {}
    for site in (json.loads(line) for line in text.splitlines() if line.startswith("{")):
        sums = found.setdefault(site["function"], dict.fromkeys(("allocs", "frees", "lost", "live", "live_bytes"), 0))
        for key in sums:
            sums[key] += site[key]
    return own, found


def exact(text: str) -> int:
    """Checks each number; returns the number of lost blocks."""
    own, found = counted(text)
    assert len(own) == FUNCTIONS and sum(own.values()) >= BLOCKS, own
    for name, count in own.items():
        sums = found[name]
        assert sums["allocs"] == sums["frees"] + sums["lost"] == count, (name, count, sums)
        assert sums["live"] == sums["live_bytes"] == 0, (name, count, sums)
    done = {name: int(times) for times, name in re.findall(r"^ *(\d+) (reload|change|read)$", text, re.M)}
    assert len(done) == 3 and min(done.values()) >= 2, done
    return sum(found[name]["lost"] for name in own)


def test_roomy(shown: dict[str, str]) -> None:
    """A table that is large enough loses nothing."""
    assert exact(shown["roomy"]) == 0


def test_full(shown: dict[str, str]) -> None:
    """A full table loses only the blocks that are reported as lost."""
    assert exact(shown["full"]) > BLOCKS / 20
    leak = counted(shown["full"])[1]["watched_leak"]
    assert leak["allocs"] == leak["live"] + leak["lost"] and leak["frees"] == 0, leak
    blocks = int(re.search(r"blocks (\d+) of", shown["full"])[1])  # type: ignore[index]
    assert leak["live"] <= blocks <= PLACES, (leak, blocks)


def test_unloads(session: Session, shown: dict[str, str]) -> None:
    """kalloc_watch is unloaded under load; no kernel has a warning."""
    assert int(re.search(r"^ *(\d+) unload$", shown["unloads"], re.M)[1]) >= 2, shown["unloads"]  # type: ignore[index]
    assert shown["left"] == ""
    # The planted leak.
    session.check_log((r"^kmemleak: \d+ new suspected memory leaks",))
