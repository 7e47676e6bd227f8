# SPDX-License-Identifier: GPL-2.0-only
"""The tutorial works in an empty directory: its files, its commands, and their output."""

import tempfile
from pathlib import Path

from kalloc_dev.core.paths import TREE
from kalloc_dev.doc import tutorial


def test_tutorial() -> None:
    """Each command prints the output on the page."""
    # A directory next to a link to the tree, as the page requires.
    with tempfile.TemporaryDirectory() as top:
        directory = Path(top) / "parcels"
        directory.mkdir()
        (Path(top) / "kalloc").symlink_to(TREE)
        wrong = list(tutorial.run(TREE / "Documentation/tutorial/first-driver.rst", directory))
    print("\n".join(wrong))
    assert not wrong
