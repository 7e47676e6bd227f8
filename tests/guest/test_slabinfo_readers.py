# SPDX-License-Identifier: GPL-2.0-only
"""Programs that read /proc/slabinfo read /proc/kallocinfo instead, unchanged: on the stock kernel.
"""

import loading
import pytest

from kalloc_dev.core.paths import TREE
from kalloc_dev.package import kalloctop
from kalloc_dev.test import slabinfo_readers
from kalloc_dev.test.session import Session, in_guest, require_devices
from kalloc_dev.toolchain.crates import Unreachable

TROUBLES = TREE / "Documentation/howto/troubleshooting.rst"
# Messages of the kernel about modules that must not load.
REFUSED = (
    r"^kalloc: version magic '6\.[^']*' should be '7\.[^']*'$",
    r"^kalloc_exercise: Unknown symbol \w+ \(err -2\)$",
    r"^kalloc_exercise: parameter out of range, see modinfo kalloc_exercise$",
    r"^Loading of unsigned module is rejected$",
)
DRIVER = "python3 -B /slabinfo_readers/main.py"


@pytest.fixture(scope="module")
def built() -> list[str]:
    """Returns the option for the programs that are built from crates; empty if these cannot be
    downloaded.
    """
    try:
        # Each guest contains the program once it is built.
        kalloctop.made()
        return ["--add", f"{slabinfo_readers.slabtop()}:/opt/slabtop"]
    except Unreachable:
        return []


@pytest.fixture(scope="module")
def session(built: list[str]) -> Session:
    """Returns the guest; tests/slabinfo_readers/ has the assertions."""
    require_devices("stock")
    command = f"kalloctop --version && {DRIVER}" if built else DRIVER
    return in_guest(command, "--kernel", "stock", "--timeout", "900", "--packages", ",".join(slabinfo_readers.PACKAGES),
                    "--add", TREE / "tests/slabinfo_readers", *built)


def test_troubleshooting() -> None:
    """Documentation/howto/troubleshooting.rst has each message of a module that does not load."""
    unexplained = [text for text in loading.SAID if f"``{text}``" not in TROUBLES.read_text()]
    assert not unexplained, f"{TROUBLES} has nothing on {unexplained}"


def test_programs(session: Session) -> None:
    """Each program reads the file like /proc/slabinfo."""
    print(session.stdout)
    session.check_log(REFUSED)


def test_built_programs(session: Session, built: list[str]) -> None:
    """The programs that are built from crates were also run."""
    if not built:
        pytest.skip("only the archive's programs are tried: the crates registry cannot be reached")
    assert session.stdout.startswith("kalloctop ")
