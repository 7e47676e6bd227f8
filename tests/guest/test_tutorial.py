# SPDX-License-Identifier: GPL-2.0
"""The tutorial is followed, from an empty directory: its files, its commands, what they print."""

import tempfile
from pathlib import Path

from kalloc_dev.core.paths import TREE
from kalloc_dev.doc import tutorial


def test_tutorial() -> None:
    """Each command prints what the page shows."""
    # A directory beside a link to the tree, as the page says.
    with tempfile.TemporaryDirectory() as top:
        folder = Path(top) / "parcels"
        folder.mkdir()
        (Path(top) / "kalloc").symlink_to(TREE)
        wrong = list(tutorial.run(TREE / "Documentation/tutorial.rst", folder))
    print("\n".join(wrong))
    assert not wrong
