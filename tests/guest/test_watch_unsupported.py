# SPDX-License-Identifier: GPL-2.0-only
"""kalloc_watch on kernels without some of its probes: the debug kernel has no fprobes, and bench no tracepoints."""

import json

from kalloc_dev.core.paths import TREE
from kalloc_dev.core.prepare import set_up
from kalloc_dev.test.session import Session, in_guest

SCRIPT = TREE / "tests/guest/watch/unsupported.sh"
REFUSED = "1 sh: write error: Operation not supported\n"


def session(kernel: str) -> Session:
    """Returns the guest with that kernel."""
    set_up(kernel)
    return in_guest("sh /unsupported.sh", "--kernel", kernel, "--add", f"{SCRIPT}:/")


def test_without_fprobes() -> None:
    """kmalloc and slab caches are counted. No function is found by its name."""
    guest = session("debug")
    shown = guest.sections()
    assert shown["parameter"] == "0 \n" and shown["module"] == shown["all"] == "0 \n0 \n", shown
    assert shown["function"] == REFUSED, shown["function"]
    assert shown["loaded"] == "0 \n0 \n", shown["loaded"]
    assert shown["planted"].startswith("# probes tracepoints; "), shown["planted"]
    sites = {site["function"]: site for site in map(json.loads, shown["planted"].splitlines()[1:])}
    assert {site["family"] for site in sites.values()} == {"kmalloc", "cache"}, sites.keys()
    assert (sites["watched_leak"]["allocs"], sites["watched_leak"]["live"]) == (13, 13), sites["watched_leak"]
    assert shown["unload"] == "0 \n", shown["unload"]
    guest.check_log()


def test_without_tracepoints() -> None:
    """The module refuses each entry of the list, and counts nothing. Without entries, it loads."""
    guest = session("bench")
    shown = guest.sections()
    assert shown["parameter"].startswith("1 ") and "not supported" in shown["parameter"], shown["parameter"]
    refusals = [line for name in ("module", "function", "all") for line in shown[name].splitlines() if "not supported" in line]
    assert len(refusals) == 3, shown
    assert shown["loaded"] == "0 \n0 \n", shown["loaded"]
    assert shown["planted"].startswith("# probes off; ") and len(shown["planted"].splitlines()) == 1, shown["planted"]
    assert shown["unload"] == "0 \n", shown["unload"]
    guest.check_log((r"^kalloc_watch: modules: kalloc_watched cannot be watched \((EOPNOTSUPP|Error\(95\))\)$",))
