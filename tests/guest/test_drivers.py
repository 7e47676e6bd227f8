# SPDX-License-Identifier: GPL-2.0-only
"""The drivers of tests/drivers, built as their authors build them: their sites are registered when they are loaded."""

import shutil
from pathlib import Path

import pytest

from kalloc_dev.core.paths import TREE
from kalloc_dev.core.prepare import set_up
from kalloc_dev.modules import kbuild
from kalloc_dev.modules.external_driver import build_driver
from kalloc_dev.test.session import Session, in_guest

DRIVERS = ("every_site.ko", "taken_name.ko", "two_devices.ko", "below/below.ko")
COMMAND = """
rows() { echo "@@ $1"; awk 'NR > 2 { print $1, $2, $4 }' /proc/kallocinfo; }
modprobe kalloc || exit
insmod every_site.ko && insmod below.ko && insmod two_devices.ko || exit
rows loaded
insmod taken_name.ko 2>/dev/null && exit 10
insmod below.ko kalloc_site=1 2>/dev/null && exit 11
rows refused
rmmod every_site two_devices || exit
insmod taken_name.ko || exit
rows renewed
rmmod taken_name below kalloc
"""
SAID = (r"^\w+: loading out-of-tree module taints kernel\.$",
        r"^kalloc: taken_name: the name every_name is in use by a site of every_site; rename one of the sites$")


@pytest.fixture(scope="module")
def session(tmp_path_factory: pytest.TempPathFactory) -> Session:
    """All drivers, loaded and unloaded in one guest with two devices."""
    directory = tmp_path_factory.mktemp("author") / "drivers"
    shutil.copytree(TREE / "tests/drivers", directory)
    shutil.copytree(TREE / "tests/shared", directory.parent / "shared")
    kernel, = set_up("stock")
    built = build_driver(kbuild.tree_of(kernel), directory)
    assert built == [directory / name for name in DRIVERS]
    adds: list[str | Path] = [word for path in built for word in ("--add", path)]
    return in_guest(COMMAND, "--device", "pci-testdev", "--device", "edu", *adds)


def test_registered_when_loaded(session: Session) -> None:
    """Every block is registered without a call, and a bus driver counts for each of its devices."""
    assert session.sections()["loaded"].splitlines() == [
        "every_name 1 16", "every_range 2 576", "every_secret 0 8", "every_object 0 8", "every_inner 0 0",
        "below_number 1 8", "two_ring 2 4096"]


def test_taken_name(session: Session) -> None:
    """A driver with the name of another driver's site is not loaded, and none of its sites is registered."""
    sections = session.sections()
    assert sections["refused"] == sections["loaded"]
    assert sections["renewed"].splitlines() == ["below_number 1 8", "taken_not 0 8", "every_name 0 8"]


def test_kernel_log(session: Session) -> None:
    """The log names the site, and has no other warning."""
    session.check_log(SAID)
    assert "kalloc: taken_name: the name every_name is in use by a site of every_site; " in session.log.read_text()
