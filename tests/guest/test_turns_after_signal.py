# SPDX-License-Identifier: GPL-2.0-only
"""A turn passes to the next process if the process that got it is interrupted by a signal: on the
stock kernel.
"""

from kalloc_dev.modules.user_programs import compiled
from kalloc_dev.test.session import in_guest

GUEST = "modprobe kalloc_exercise && turn_test && rmmod kalloc_exercise kalloc"


def test_turn_passes_on() -> None:
    """The program sees the turn pass, and the kernel log has no warning."""
    session = in_guest(GUEST, "--timeout", "900", f"--add={compiled('turn_test')}:/usr/bin/")
    print(session.stdout)
    assert session.stdout == "passed on 1\n"
    session.check_log()
