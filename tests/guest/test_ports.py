# SPDX-License-Identifier: GPL-2.0-only
"""Upstream's drivers run with kalloc, which counts their allocations and finds every block freed."""

import pytest

from kalloc_dev.test import ports
from kalloc_dev.test.plugin import Reporter

pytestmark = pytest.mark.long


def test_ports(report: Reporter) -> None:
    """Reports each driver."""
    report(ports.ports())
