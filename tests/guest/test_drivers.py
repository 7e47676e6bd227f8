# SPDX-License-Identifier: GPL-2.0-only
"""The drivers of tests/drivers, built as their authors build them, on each kernel: their sites are registered by the loader."""

import json
import shutil
from pathlib import Path

import pytest

from kalloc_dev.core.paths import TREE
from kalloc_dev.core.prepare import set_up
from kalloc_dev.modules import kbuild
from kalloc_dev.modules.external_driver import build_driver
from kalloc_dev.test.session import Session, in_guest

KERNELS = ("stock", "debug")
DRIVERS = ("every_site.ko", "one_pointer.ko", "plain_bus.ko", "resized.ko", "taken_name.ko", "two_devices.ko", "below/below.ko")
COMMAND = """
rows() { echo "@@ $1"; awk 'NR > 2 { print $1, $2 }' /proc/kallocinfo; }
modprobe kalloc || exit
insmod every_site.ko && insmod below.ko && insmod two_devices.ko || exit
rows loaded
insmod taken_name.ko 2>/dev/null && exit 10
insmod below.ko kalloc_site=1 2>/dev/null && exit 11
rows refused
rmmod every_site two_devices || exit
insmod taken_name.ko || exit
rows renewed
rmmod taken_name below || exit
insmod plain_bus.ko || exit
rows bus
rmmod plain_bus && insmod one_pointer.ko || exit
rows pointers
rmmod one_pointer && insmod resized.ko || exit
echo "@@ resized"
cat /sys/kernel/debug/kalloc/sites.json
rmmod resized && modprobe kalloc_resizer || exit
modprobe kalloc_given 2>/dev/null && exit 12
echo "@@ given"
cat /sys/module/kalloc_resizer/parameters/state
awk '$1 ~ /^kalloc_(resizer|given)/ { print $2 }' /proc/kallocinfo
rmmod kalloc_resizer kalloc
"""
SAID = (r"^\w+: loading out-of-tree module taints kernel\.$",
        r"^kalloc: taken_name: the name every_name is in use by a site of every_site; rename one of the sites$")
PAGE = 4096


@pytest.fixture(scope="module")
def session(kernel_name: str, tmp_path_factory: pytest.TempPathFactory) -> Session:
    """All drivers, loaded and unloaded in one guest with two devices."""
    directory = tmp_path_factory.mktemp("author") / "drivers"
    shutil.copytree(TREE / "tests/drivers", directory)
    shutil.copytree(TREE / "tests/shared", directory.parent / "shared")
    kernel, = set_up(kernel_name)
    built = build_driver(kbuild.tree_of(kernel), directory)
    assert built == [directory / name for name in DRIVERS]
    adds: list[str | Path] = [word for path in built for word in ("--add", path)]
    return in_guest(COMMAND, "--kernel", kernel_name, "--timeout", "900", "--device", "pci-testdev", "--device", "edu", *adds)


def test_registered_when_loaded(session: Session) -> None:
    """Every block is registered without a call, and a bus driver counts for each of its devices."""
    assert session.sections()["loaded"].splitlines() == [
        "every_name 1", "every_range 2", "every_secret 0", "every_object 0", "every_inner 0",
        "below_number 1", "two_ring 2"]


def test_taken_name(session: Session) -> None:
    """A driver with the name of another driver's site is not loaded, and none of its sites is registered."""
    sections = session.sections()
    assert sections["refused"] == sections["loaded"]
    assert sections["renewed"].splitlines() == ["below_number 1", "taken_not 0", "every_name 0"]


def test_bus_macro_of_kernel(session: Session) -> None:
    """A bus driver needs neither a macro of kalloc nor a call, also for a cache."""
    assert session.sections()["bus"].splitlines() == ["plain_ring 2", "plain_node 0"]
    assert session.log.read_text(errors="replace").count("node 7\n") == 2


def test_owners_as_one_pointer(session: Session) -> None:
    """Each kind of owner is dropped by the table of C that holds it."""
    live = {row.split()[0]: int(row.split()[1]) for row in session.sections()["pointers"].splitlines()}
    dropped = ("box", "shared", "object", "made", "conn", "ring", "firmware")
    assert live == {**{f"one_{name}": 0 for name in dropped}, "one_all": 2}
    assert "one_pointer: 4 pages\n" in session.log.read_text(errors="replace")


def test_resized_at_link_time(session: Session) -> None:
    """A block that shrinks in place keeps its memory, and a resize that fails changes no count.

    vmalloc() gives whole huge pages to the large block.
    """
    assert counted(session, typed=False) == {
        "allocs": 9, "frees": 6, "live_bytes": 100 + 10 + 2000 * PAGE, "live_allocated": 1024 + 64 * 1024 + 2048 * PAGE}


def test_failed_init_waits_for_resize(session: Session) -> None:
    """A module that does not load is freed after another module has resized its block, which that module then owns."""
    assert session.sections()["given"].splitlines() == ["2", "1"]


def test_typed_beside_link_time(session: Session) -> None:
    """A block of a type with a site is not counted at link time as well."""
    assert counted(session, typed=True) == {
        "allocs": 7, "frees": 3, "live_bytes": 2 * 900 + 5 * PAGE, "live_allocated": 2 * 1024 + 5 * PAGE}


def counted(session: Session, *, typed: bool) -> dict[str, int]:
    """Adds up the numbers of the driver whose vectors are resized: those of its sites, or those at link time."""
    sites = [site for line in session.sections()["resized"].splitlines() if (site := json.loads(line))["module"] == "resized"]
    return {key: sum(site[key] for site in sites if site["name"].startswith("typed_") is typed)
            for key in ("allocs", "frees", "live_bytes", "live_allocated")}


def test_kernel_log(session: Session) -> None:
    """The log names the site, and has no other warning."""
    session.check_log(SAID)
    assert "kalloc: taken_name: the name every_name is in use by a site of every_site; " in session.log.read_text()
