# SPDX-License-Identifier: GPL-2.0-only
"""Modules are unloaded while processes are stuck in calls on their files: on the stock kernel,
which has userfaultfd.

The page faults of these processes never complete. SIGKILL ends a process that waits for another one
at a shared file at once.
"""

import subprocess

from kalloc_dev.core.paths import TREE


def test_stuck() -> None:
    """The mode `stuck` of the fuzzer tries each file."""
    done = subprocess.run([TREE / "scripts/kalloc", "fuzz", "--kernel", "stock", "--seed", "1", "--rounds", "1", "stuck"],
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace", check=False)
    print(done.stdout)
    assert done.returncode == 0 and "stuck 4" in done.stdout.splitlines()
