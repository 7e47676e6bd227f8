# SPDX-License-Identifier: GPL-2.0-only
"""Attacks by safe code and by user space, each of which must fail: on the stock and the debug
kernel.
"""

from kalloc_dev.core.prepare import set_up
from kalloc_dev.test import attacks
from kalloc_dev.test.plugin import Reporter


def test_attacks(report: Reporter) -> None:
    """Reports each attack."""
    report(attacks.attacks(set_up("stock", "debug")))
