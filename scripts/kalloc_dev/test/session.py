# SPDX-License-Identifier: GPL-2.0-only
"""A command's session in a guest: its output in sections, and the guest's kernel log."""

import re
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from kalloc_dev.core.paths import TREE
from kalloc_dev.core.prepare import set_up
from kalloc_dev.kernel.build import DEVICES, series
from kalloc_dev.test import dmesg


@dataclass(frozen=True)
class Session:
    """The output of a command in a guest, and the log of its kernel."""

    stdout: str
    stderr: str
    log: Path

    def sections(self) -> dict[str, str]:
        """Returns the text below each line that begins with `@@ `, by the name on that line."""
        return dict(part.partition("\n")[::2] for part in self.stdout.split("@@ ")[1:])

    def check_log(self, allowed: Sequence[str] = ()) -> None:
        """Fails if the kernel log has a warning that is not allowed."""
        found = dmesg.judge(self.log, tuple(allowed))
        assert not found, "the kernel log has\n" + "\n".join(found)


def in_guest(command: str, *options: str | Path, status: int = 0) -> Session:
    """Runs a command by scripts/vm with these options; fails if it ends with another status."""
    done = subprocess.run([TREE / "scripts/vm", *options, "--", command], capture_output=True, text=True, errors="replace",
                          check=False)
    log = re.search(r"kernel log: (\S+)", done.stderr)
    if not log or done.returncode != status:
        print(done.stdout)
        print(done.stderr, file=sys.stderr)
    assert log and done.returncode == status, f"the guest's status is {done.returncode}"
    return Session(done.stdout, done.stderr, Path(log[1]))


def require_devices(name: str) -> None:
    """Skips a test of the modules with a device if this kernel is too old for them."""
    kernel, = set_up(name)
    if series(kernel.release) < DEVICES:
        pytest.skip(f"kalloc_map and kalloc_kv are not built for Linux {kernel.release}")
