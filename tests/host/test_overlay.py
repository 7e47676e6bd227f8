# SPDX-License-Identifier: GPL-2.0-only
"""The files of this tree in a kernel's source tree."""

from pathlib import Path

import pytest

from kalloc_dev.kernel import overlay
from rust_kbuild.console import Failure

CRATE = overlay.PLACE / "rust/kalloc.rs"


@pytest.fixture(name="source")
def _source(tmp_path: Path) -> Path:
    """Returns a tree with the files of the kernel that the overlay changes."""
    source = tmp_path / "linux"
    (source / "lib").mkdir(parents=True)
    for path in overlay.HOOKS:
        (source / path).write_text("# of the kernel\n")
    return source


def test_write_changes_only_what_differs(source: Path) -> None:
    """A second run writes nothing; a third one only restores what was changed, and removes what is not ours."""
    assert set(overlay.write(source)) == {*overlay.tree(), *overlay.HOOKS}
    texts = {path: (source / path).read_text() for path in overlay.HOOKS}
    before = {path: path.stat().st_mtime_ns for path in source.rglob("*") if path.is_file()}
    assert overlay.write(source) == []
    assert before == {path: path.stat().st_mtime_ns for path in source.rglob("*") if path.is_file()}

    stale = source / overlay.PLACE / "rust/stale.rs"
    stale.touch()
    (source / CRATE).write_text("// changed\n")
    assert overlay.write(source) == [CRATE, stale.relative_to(source)]
    assert not stale.exists() and (source / CRATE).read_bytes() == overlay.tree()[CRATE]
    assert texts == {path: text for path, line in overlay.HOOKS.items()
                     if (text := (source / path).read_text()).count(line) == 1 and text.startswith("# of the kernel\n")}


def test_write_keeps_other_links(source: Path, tmp_path: Path) -> None:
    """The tree whose files are linked stays as it is."""
    copy = tmp_path / "copy"
    overlay.link(source, copy)
    overlay.write(copy)
    assert {path.read_text() for path in source.rglob("*") if path.is_file()} == {"# of the kernel\n"}


def test_write_refuses_other_trees(tmp_path: Path) -> None:
    """A directory without the files of a kernel stays empty."""
    with pytest.raises(Failure, match="is not a Linux source tree: it has no lib/Kconfig"):
        overlay.write(tmp_path)
    assert not list(tmp_path.iterdir())
