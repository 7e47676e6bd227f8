# SPDX-License-Identifier: GPL-2.0-only
"""The modules compile without a warning, for the stock and the debug kernel."""

import pytest

from kalloc_dev.core.prepare import set_up
from kalloc_dev.modules import kbuild


@pytest.mark.parametrize("name", ["stock", "debug"])
def test_no_warnings(name: str) -> None:
    """Neither the compiler nor the linker warns."""
    kernel, = set_up(name)
    kbuild.image(kernel)
    assert not kbuild.warnings(kbuild.tree_of(kernel))
