# SPDX-License-Identifier: GPL-2.0-only
"""The KUnit suites built into the kernel, run by the kernel's own kunit.py.

On User-Mode Linux; with --every, on all targets.
"""

import pytest

from kalloc_dev.test import in_tree, kunit_tool
from kalloc_dev.test.plugin import Reporter

# The first run builds a kernel.
pytestmark = pytest.mark.long


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Runs the test on User-Mode Linux, and with --every on each target."""
    every = metafunc.config.getoption("--every")
    metafunc.parametrize("target", kunit_tool.TARGETS if every else ["um"])


def test_suites(target: str, report: Reporter) -> None:
    """Reports each case, the suites that must exist, and the log."""
    report(in_tree.verdict(target))
