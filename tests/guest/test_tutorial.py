# SPDX-License-Identifier: GPL-2.0-only
"""The tutorials work in an empty directory: their files, their commands, and their output."""

import tempfile
from pathlib import Path

import pytest

from kalloc_dev.core.paths import TREE
from kalloc_dev.doc import tutorial


@pytest.mark.parametrize(("page", "name"), [("first-driver", "parcels"), ("pci-driver", "edu"), ("move-a-driver", "queue")])
def test_tutorial(page: str, name: str) -> None:
    """Each command prints the output on the page."""
    # A directory next to a link to the tree, as the page requires.
    with tempfile.TemporaryDirectory() as top:
        directory = Path(top) / name
        directory.mkdir()
        (Path(top) / "kalloc").symlink_to(TREE)
        wrong = list(tutorial.run(TREE / f"Documentation/tutorial/{page}.rst", directory))
    print("\n".join(wrong))
    assert not wrong
