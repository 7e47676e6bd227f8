# SPDX-License-Identifier: GPL-2.0
"""A round of the soak: on the stock kernel with 8 CPUs, operations on all families.

They run in process context, softirqs and interrupts, while CPUs and modules come and go, the files are read, and memory
is eaten up. The module compares every counter with its own tally. What is read meanwhile must add up: no counter goes
back, no block is freed that was not allocated, and no more is live than the module can hold. scripts/kalloc soak goes on
for longer. KALLOC_STRESS_OPS is the number of operations.
"""

import os
import re
import subprocess
from collections.abc import Callable

from kalloc_dev.core.paths import TREE


def test_soak(record_property: Callable[[str, object], None]) -> None:
    """One round loses nothing."""
    done = subprocess.run([TREE / "scripts/kalloc", "soak", "--rounds", "1", "--seconds", "0", "--ops",
                           os.environ.get("KALLOC_STRESS_OPS", "60000")],
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace", check=False)
    print(done.stdout)
    record_property("figures", ", ".join(re.findall("^figures: (.*)$", done.stdout, re.M)))
    assert done.returncode == 0
