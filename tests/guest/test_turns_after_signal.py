# SPDX-License-Identifier: GPL-2.0
"""On the stock kernel: a turn passes on if the process that it was given to leaves for a signal."""

from kalloc_dev.modules.user_programs import compiled
from kalloc_dev.test.session import in_guest

GUEST = "modprobe kalloc_exercise && turn_passes && rmmod kalloc_exercise kalloc"


def test_turn_passes_on() -> None:
    """The program sees it pass on, and the kernel log has no warning."""
    session = in_guest(GUEST, "--timeout", "200", f"--add={compiled('turn_passes')}:/usr/bin/")
    print(session.stdout)
    assert session.stdout == "passed on 1\n"
    session.check_log()
