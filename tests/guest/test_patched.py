# SPDX-License-Identifier: GPL-2.0-only
"""A kernel with the changes of patches/: its crate's types count at kalloc's sites, and its own tests and drivers still work."""

import json
import shutil
from pathlib import Path

import pytest

from kalloc_dev.core.paths import TREE
from kalloc_dev.core.prepare import set_up
from kalloc_dev.modules import kbuild
from kalloc_dev.modules.external_driver import build_driver
from kalloc_dev.test import kunit_tool
from kalloc_dev.test.session import Session, in_guest

pytestmark = pytest.mark.named

KERNEL = "patched"
GUEST = r"""
rows() { echo "@@ $1"; cat /sys/kernel/debug/kalloc/sites.json; }
modprobe kalloc && insmod patched_owners.ko || exit
rows loaded
rmmod patched_owners || exit
rows left
rmmod kalloc
"""
# The allocations and frees of each site while the module is loaded.
COUNTS = {"patched_shared": (4, 2), "patched_node": (103, 44), "patched_job": (1, 1), "patched_item": (1, 1),
          "patched_timer": (1, 1), "patched_element": (5, 1), "patched_queue": (2, 1), "patched_proc": (2, 1),
          "patched_firmware": (3, 2)}
SAYS = ("the box runs", "the shared item runs", "pages 4, 1, 3")
# Tests of the kernel crate that the patches concern, of which there are many more.
CHANGED = ("rust_doctest_kernel_rbtree_rs_", "rust_doctest_kernel_sync_arc_rs_", "rust_doctest_kernel_workqueue_rs_",
           "rust_doctest_kernel_time_hrtimer_rs_", "rust_doctest_kernel_alloc_kvec_rs_", "rust_doctest_kernel_list_rs_",
           "test_kvvec_shrink_to")
SAID = (r"^\w+: loading out-of-tree module taints kernel\.$", r"^KTAP version 1$", r"^ *(#|ok \d+|1\.\.\d+)")


@pytest.fixture(scope="module")
def session(kernel_name: str, tmp_path_factory: pytest.TempPathFactory) -> Session:
    """Builds the driver, which no unpatched kernel compiles, and loads it."""
    kernel, = set_up(kernel_name)
    directory = tmp_path_factory.mktemp("author") / "patched"
    shutil.copytree(TREE / "tests/patched", directory)
    built = build_driver(kbuild.tree_of(kernel), directory)
    adds: list[str | Path] = [word for path in built for word in ("--add", path)]
    return in_guest(GUEST, "--kernel", kernel_name, "--timeout", "900", *adds)


def test_types_of_kernel_count(shown: dict[str, str]) -> None:
    """Every allocation and free by a type of the kernel crate is counted at its site."""
    sites = {site["name"]: site for site in map(json.loads, shown["loaded"].splitlines())}
    assert {name: (site["allocs"], site["frees"]) for name, site in sites.items()} == COUNTS
    assert sites["patched_node"]["live_bytes"] == 59 * 40
    assert sites["patched_queue"]["live_bytes"] == sites["patched_proc"]["live_bytes"] == 16
    assert sites["patched_firmware"]["live_allocated"] == 4096
    assert not shown["left"]


def test_module_ran(session: Session) -> None:
    """The work items and the timer ran, and the kernel log has no warning."""
    lines = [line.partition("patched_owners: ")[2] for line in session.log.read_text(errors="replace").splitlines()]
    assert [line for line in lines if line in SAYS] == list(SAYS)
    session.check_log(SAID)


def test_own_tests_of_crate(session: Session) -> None:
    """The crate's doctests and suites, which the kernel ran while it booted, pass."""
    cases = list(kunit_tool.cases(session.log.read_text(errors="replace")))
    assert not [case.name for case in cases if case.outcome == "failed"]
    passed = [case.name for case in cases if case.outcome == "passed"]
    for changed in CHANGED:
        assert [name for name in passed if changed in name], f"no test {changed}"


def test_users_compile(kernel_name: str) -> None:
    """Upstream's binder, rnull and samples compile in the kernel's build without a change."""
    kernel, = set_up(kernel_name)
    assert (kernel.tree / "drivers/android/binder/rust_binder_main.o").exists()
    modules = (kernel.tree / "modules.order").read_text()
    assert "drivers/block/rnull/" in modules and modules.count("samples/rust/") >= 6
