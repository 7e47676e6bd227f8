# SPDX-License-Identifier: GPL-2.0-only
"""A round of the soak: operations on all families, on the stock kernel with 8 CPUs.

The operations run in process context, softirqs and interrupts. Meanwhile CPUs and modules come and go, processes read the
files, and other processes use up all memory. The module compares every counter with its own tally. Every intermediate
reading must be consistent: no counter decreases, the frees do not exceed the allocations, and the live blocks do not
exceed the module's limit. scripts/kalloc soak runs for longer. KALLOC_STRESS_OPS is the number of operations.
"""

import os
import re
import subprocess
from collections.abc import Callable

import pytest

from kalloc_dev.core.paths import TREE

pytestmark = pytest.mark.long


def test_soak(record_property: Callable[[str, object], None]) -> None:
    """One round loses nothing."""
    done = subprocess.run([TREE / "scripts/kalloc", "soak", "--rounds", "1", "--seconds", "0", "--ops",
                           os.environ.get("KALLOC_STRESS_OPS", "60000")],
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace", check=False)
    print(done.stdout)
    record_property("figures", ", ".join(re.findall("^figures: (.*)$", done.stdout, re.M)))
    assert done.returncode == 0
