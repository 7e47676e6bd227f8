# SPDX-License-Identifier: GPL-2.0-only
"""Failures of make run: modules that do not load, a missing or empty row, a log with a warning."""

import subprocess
from argparse import Namespace
from pathlib import Path
from types import SimpleNamespace
from typing import BinaryIO

import pytest

from kalloc_dev.guest.qemu import Guest, Result
from kalloc_dev.test import smoke
from rust_kbuild.console import Failure

ROW = "{:<17} {:>6}      4   4096    1    1 : tunables    0    0    0 : slabdata      4      4      0\n"
TABLE = "slabinfo - version: 2.1\n" + "".join(ROW.format(site, 4) for site in smoke.SITES)
CLEAN = "<6>[    1.0] kalloc-vm: start\n<6>[    2.0] kalloc-vm: end\n"


def outcome(log: Path, table: str = TABLE, text: str = CLEAN, status: int = 0) -> str:
    """Returns the output of make run for a guest that ended like this."""

    def boot(_: Guest, out: BinaryIO) -> Result:
        out.write(table.encode())
        log.write_text(text)
        return Result(status, log, 1.0)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(smoke, "boot", boot)
        try:
            smoke.main(Namespace())
        except Failure as failure:
            assert failure.log == log
            return str(failure)
    return ""


@pytest.fixture(autouse=True)
def nothing_boots(monkeypatch: pytest.MonkeyPatch) -> None:
    """Replaces the set-up of kernels and the build of modules."""
    monkeypatch.setattr(smoke, "set_up", lambda *_: [SimpleNamespace(release="7.3.4", image=None)])
    monkeypatch.setattr(smoke, "kvm", SimpleNamespace(usable=lambda _: False))
    monkeypatch.setattr(smoke, "kbuild", SimpleNamespace(image=lambda _: None))


def test_good_guest(tmp_path: Path) -> None:
    """A table with each row passes."""
    assert outcome(tmp_path / "log") == ""


def test_statuses(tmp_path: Path) -> None:
    """Each status of the guest has a message."""
    here = tmp_path / "log"
    assert outcome(here, status=10) == "the modules do not load"
    assert outcome(here, status=12) == "the modules do not unload"
    assert outcome(here, status=126) == "the guest died"


def test_warning(tmp_path: Path) -> None:
    """A warning in the kernel log is a failure."""
    text = CLEAN.replace("<6>[    2.0]", "<4>[    1.9] kalloc: hm\n<6>[    2.0]")
    assert "warnings" in outcome(tmp_path / "log", text=text)


@pytest.mark.parametrize("site", smoke.SITES)
def test_missing_row(tmp_path: Path, site: str) -> None:
    """A missing row, or a row without objects, is a failure."""
    here = tmp_path / "log"
    without = "".join(line for line in TABLE.splitlines(keepends=True) if not line.startswith(f"{site} "))
    assert outcome(here, without).endswith(f"no active objects in {site}")
    assert outcome(here, without + ROW.format(site, 0)).endswith(f"no active objects in {site}")


def test_guest_command() -> None:
    """The command of the guest fails if there is no module to load."""
    done = subprocess.run(["sh", "-c", f"modprobe() {{ return 1; }}\n{smoke.COMMAND}"], check=False)
    assert done.returncode == 10
