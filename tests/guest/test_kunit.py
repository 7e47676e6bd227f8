# SPDX-License-Identifier: GPL-2.0-only
"""KUnit suites, the examples in the documentation, and the life of modules, in one guest of the
debug kernel.
"""

from kalloc_dev.core.prepare import set_up
from kalloc_dev.guest import kvm
from kalloc_dev.test import kunit
from kalloc_dev.test.plugin import Reporter


def test_kunit(parts: list[str], report: Reporter) -> None:
    """Reports each case, section and log."""
    debug, = set_up("debug")
    kvm.usable(debug)
    report(kunit.parts(debug, parts, kunit.CHECKED) if parts else kunit.kunit(debug))
