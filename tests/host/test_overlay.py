# SPDX-License-Identifier: GPL-2.0-only
"""The files of this tree in a kernel's source tree."""

import re
from pathlib import Path

import pytest

from kalloc_dev.kernel import overlay
from rust_kbuild.console import Failure

CRATE = overlay.PLACE / "rust/kalloc.rs"
# A line of a list of documents, and two maintainers' entries.
OTHERS = "# of the kernel\n   mm-api\n\nKAB\nS:\tMaintained\n\nKAN\nS:\tMaintained\n"


@pytest.fixture(name="source")
def _source(tmp_path: Path) -> Path:
    """Returns a tree with the files of the kernel that the overlay changes."""
    source = tmp_path / "linux"
    for path in overlay.HOOKS:
        (source / path).parent.mkdir(parents=True, exist_ok=True)
        (source / path).write_text(OTHERS)
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
    assert texts == {path: text for path, (mark, _) in overlay.HOOKS.items()
                     if (text := (source / path).read_text()).count(mark) == 1 and text.startswith("# of the kernel\n")}
    titles = re.findall(r"(?<=\n\n)K\w+", texts[Path("MAINTAINERS")])
    assert titles == ["KAB", "KALLOC", "KAN"]


def test_write_keeps_other_links(source: Path, tmp_path: Path) -> None:
    """The tree whose files are linked stays as it is."""
    copy = tmp_path / "copy"
    overlay.link(source, copy)
    overlay.write(copy)
    assert {path.read_text() for path in source.rglob("*") if path.is_file()} == {OTHERS}


def test_write_refuses_other_trees(tmp_path: Path) -> None:
    """A directory without the files of a kernel stays empty."""
    with pytest.raises(Failure, match="is not a Linux source tree: it has no lib/Kconfig"):
        overlay.write(tmp_path)
    assert not list(tmp_path.iterdir())
