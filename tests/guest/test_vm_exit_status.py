# SPDX-License-Identifier: GPL-2.0-only
"""scripts/vm ends with the status for the way in which the guest ended, and prints the log."""

import subprocess

import pytest

from kalloc_dev.core.paths import TREE

# A CPU that no longer responds.
HANGS = """echo 1 >/proc/sys/kernel/sysrq
chrt -f 99 sh -c "while :; do :; done" & sleep 1000"""


@pytest.mark.parametrize(("status", "said", "words"), [
    pytest.param(126, "sysrq triggered crash", ["--", "echo c >/proc/sysrq-trigger; sleep 1000"], id="crash"),
    pytest.param(126, "the guest never came up", ["--append", "mem=48M", "--", "true"], id="no-memory"),
    pytest.param(124, "no answer after 2 s", ["--cpus", "1", "--timeout", "2", "--", HANGS], id="hang")])
def test_status(status: int, said: str, words: list[str]) -> None:
    """The status and the end of the log show the way in which the guest ended."""
    done = subprocess.run([TREE / "scripts/vm", *words], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          errors="replace", check=False)
    assert done.returncode == status and said in done.stdout, done
