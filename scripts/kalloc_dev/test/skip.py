# SPDX-License-Identifier: GPL-2.0
"""How a scenario ends that cannot run here: with a status of its own, and a line that says why."""

import sys

from kalloc_dev.core.prepare import set_up
from kalloc_dev.kernel.build import DEVICES, series

SKIP = 77
# What that line begins with.
SKIPPED = "skipped: "


def without_devices(name: str) -> None:
    """Ends a scenario of what is only built for a Linux whose misc devices have an owner, if this kernel is older."""
    kernel, = set_up(name)
    if series(kernel.release) < DEVICES:
        print(f"{SKIPPED}kalloc_map and kalloc_kv are not built for Linux {kernel.release}")
        sys.exit(SKIP)
