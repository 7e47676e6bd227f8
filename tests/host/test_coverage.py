# SPDX-License-Identifier: GPL-2.0-only
"""The count of C's allocating calls, on a small source, and the types that the table names."""

import subprocess
from pathlib import Path

from kalloc_dev.core.paths import TREE
from kalloc_dev.doc import coverage

SOURCE = """
p = kzalloc(sizeof(*p), GFP_KERNEL); q = devm_kzalloc(dev, 4, GFP_KERNEL);
r = my_kzalloc(4); kmalloc_array_node(n, s, flags, node);
d = dma_alloc_coherent(dev, 4096, &h, GFP_KERNEL);
"""


def call(*words: object) -> subprocess.CompletedProcess[str]:
    """Calls the command."""
    return subprocess.run([TREE / "scripts/kalloc", "coverage", *map(str, words)], capture_output=True, text=True, check=False)


def test_counts(tmp_path: Path) -> None:
    """Each call counts once, for the function with that whole name, in the C files of the directories."""
    for path in ("drivers/a.c", "sound/b.h", "fs/c.c", "drivers/notes.txt"):
        (tmp_path / path).parent.mkdir(exist_ok=True)
        (tmp_path / path).write_text(SOURCE)
    done = call("--source", tmp_path)
    assert done.returncode == 0 and done.stdout.splitlines()[-1] == "call sites covered: 6 of 8 (75.0 %)", done
    assert "      2  -                                           dma_alloc_coherent, …" in done.stdout.splitlines(), done
    assert call("--source", tmp_path, "fs").stdout.endswith("call sites covered: 3 of 4 (75.0 %)\n")
    done = call("--source", tmp_path, "net")
    assert done.returncode == 2 and done.stderr == f"error: {tmp_path} has no directory net\n", done


def test_table() -> None:
    """Each function is in one row, and each type is one of the crate's."""
    rows = coverage.listed()
    names = [name for row in rows for name in row.functions]
    assert len(names) == len(set(names)) > 150
    assert all(row.by or row.note for row in rows)
    crate = "\n".join(path.read_text() for path in (TREE / "rust").rglob("*.rs"))
    assert list(coverage.unknown(rows, crate)) == []
    assert list(coverage.unknown([coverage.Calls(["x"], ("KBox", "NoSuch"))], crate)) == ["NoSuch"]
