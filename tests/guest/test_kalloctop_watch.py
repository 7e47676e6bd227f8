# SPDX-License-Identifier: GPL-2.0-only
"""`kalloctop watch` on the stock kernel: tests/guest/watch/kalloctop_watch.py has the assertions."""

import pytest

from kalloc_dev.core.paths import TREE
from kalloc_dev.core.prepare import set_up
from kalloc_dev.kernel import debian
from kalloc_dev.package import kalloctop
from kalloc_dev.test import slabinfo_readers
from kalloc_dev.test.session import in_guest
from kalloc_dev.toolchain.crates import Unreachable

SCRIPT = TREE / "tests/guest/watch/kalloctop_watch.py"
# A module of the distribution, and the one on which it depends.
DIRECTORIES = ("kernel/drivers/block/null_blk", "kernel/fs/configfs")
# The last part of the test locks the kernel down.
ALLOWED = (r"^Lockdown: .*", r"^Kernel is locked down from securityfs; .*", r"^Loading of unsigned module is rejected$")


def test_kalloctop_watch() -> None:
    """Each part of the script passes."""
    try:
        kalloctop.made()
    except Unreachable as reason:
        pytest.skip(f"kalloctop cannot be built: {reason}")
    stock, = set_up("stock")
    added = [word for name in DIRECTORIES
             for word in ("--add", f"{debian.modules() / name}:/usr/lib/modules/{stock.release}/{name}")]
    session = in_guest("PYTHONPATH=/slabinfo_readers python3 -B /kalloctop_watch.py", "--timeout", "600",
                       "--packages", ",".join(slabinfo_readers.PACKAGES),
                       "--add", TREE / "tests/slabinfo_readers", "--add", f"{SCRIPT}:/", *added)
    print(session.stdout)
    assert list(session.sections()) == ["prints", "shows_a_module_at_work", "ends_by_signals", "hangs_up",
                                        "keeps_a_loaded_watch", "shares_a_watch", "shows_both", "refuses"]
    session.check_log(ALLOWED)
