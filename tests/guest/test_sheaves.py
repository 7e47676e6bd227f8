# SPDX-License-Identifier: GPL-2.0-only
"""KUnit suites of slab caches on the debug kernel without SLUB's checks, where CPUs keep free
objects in sheaves.
"""

from kalloc_dev.core.prepare import set_up
from kalloc_dev.guest import kvm
from kalloc_dev.test import kunit
from kalloc_dev.test.plugin import Reporter


def test_sheaves(parts: list[str], report: Reporter) -> None:
    """Reports each case and the log."""
    debug, = set_up("debug")
    kvm.usable(debug)
    report(kunit.parts(debug, parts or [kunit.CACHES], kunit.SHEAVES, whole=not parts))
