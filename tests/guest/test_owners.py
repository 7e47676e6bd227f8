# SPDX-License-Identifier: GPL-2.0-only
"""A driver without unsafe code owns memory in every way, and all of it is counted: on each kernel, or --kernel."""

import pytest

from kalloc_dev.test.session import Session, in_guest

KERNELS = ("stock", "debug")

GUEST = r"""
section() { echo "@@ $1"; }
for round in 1 2; do
    modprobe kalloc_owners || exit 10
    section "rows-$round"; sed 1,2d /proc/kallocinfo
    section "caches-$round"; grep -o '^owners_[a-z]*' /proc/slabinfo
    rmmod kalloc_owners || exit 11
    section "left-$round"; sed 1,2d /proc/kallocinfo; grep '^owners_' /proc/slabinfo
done
rmmod kalloc
"""

# The live objects of each site.
LIVE = {"shared": 1, "service": 1, "session": 1, "node": 16, "inode": 1, "conn": 1, "ring": 2, "firmware": 1, "name": 1,
        "list": 1, "proc": 1, "message": 1, "job": 1, "doomed": 1}
SAYS = ["service 7, firmware of 4 pages, 2 procs", "the item runs", "the item frees 1000 bytes"]


@pytest.fixture(scope="module")
def session(kernel_name: str) -> Session:
    """Returns the guest."""
    return in_guest(GUEST, "--kernel", kernel_name, "--timeout", "900")


def test_every_owner_is_counted(shown: dict[str, str]) -> None:
    """Each site has its live objects, and each cache its row of slabinfo."""
    for round_ in "12":
        live = {row.split()[0]: int(row.split()[1]) for row in shown[f"rows-{round_}"].splitlines()}
        assert live == {f"owners_{name}": number for name, number in LIVE.items()}
        assert set(shown[f"caches-{round_}"].split()) == {f"owners_{name}" for name in ("session", "node", "inode", "conn")}


def test_nothing_is_left(shown: dict[str, str]) -> None:
    """The unloaded module leaves neither a row nor a cache."""
    assert shown["left-1"] == shown["left-2"] == ""


def test_unload_waits_for_item(session: Session) -> None:
    """The item frees its memory before the module is unloaded, and the kernel log has no warning."""
    lines = [line.partition("kalloc_owners: ")[2] for line in session.log.read_text(errors="replace").splitlines()]
    assert [line for line in lines if line in SAYS] == SAYS * 2
    session.check_log()
