# SPDX-License-Identifier: GPL-2.0-only
"""This tree as a part of the kernel's source: lib/kalloc.

lib/ is the place of code that drivers of all subsystems call and that has KUnit suites of its own.
mm/ is not: kalloc uses only interfaces that mm/ offers to the whole kernel.
"""

import shutil
import subprocess
from pathlib import Path

from kalloc_dev.core.paths import TREE
from rust_kbuild.console import Failure

PLACE = Path("lib/kalloc")
# The parts of this tree that a kernel tree has: the crate, the samples, the watch and the KUnit suites.
PARTS = (".kunitconfig", "Kbuild", "Kconfig", "rust/**/*.[ch]", "rust/**/*.rs", "rust/sys/bindgen_parameters",
         "samples/**/*.rs", "samples/kv/*.h", "watch/**/*.[ch]", "watch/**/*.rs", "tests/kunit/**/*.rs",
         "tests/kunit/configs/*.config")
# The lines for kalloc in files of the kernel.
HOOKS = {
    Path("lib/Kconfig"): 'source "lib/kalloc/Kconfig"\n',
    Path("lib/Makefile"): "obj-$(CONFIG_KALLOC) += kalloc/\n",
}


def tree() -> dict[Path, bytes]:
    """Returns the files in PLACE by their path in the kernel tree."""
    return {PLACE / path.relative_to(TREE): path.read_bytes() for part in PARTS for path in sorted(TREE.glob(part))}


def write(source: Path) -> list[Path]:
    """Puts this tree into a kernel's source tree; returns the paths that were changed.

    The function also works on a tree that has an older version of this tree. Files with the same
    content keep their modification times, so that make does not build their objects again. Changed
    files are new files, because a file may be a hard link to that of another tree.
    """
    wanted = tree()
    for path, line in HOOKS.items():
        if not (source / path).is_file():
            raise Failure(f"{source} is not a Linux source tree: it has no {path}")
        text = (source / path).read_text()
        wanted[path] = (text if text.endswith(f"\n{line}") else f"{text}\n{line}").encode()
    changed = [path for path, content in wanted.items() if not _has(source / path, content)]
    for path in changed:
        (source / path).parent.mkdir(parents=True, exist_ok=True)
        fresh = source / path.with_name(f".{path.name}.new")
        fresh.write_bytes(wanted[path])
        fresh.replace(source / path)
    stale = [path.relative_to(source) for path in (source / PLACE).rglob("*")
             if path.is_file() and path.relative_to(source) not in wanted]
    for path in stale:
        (source / path).unlink()
    return changed + stale


def _has(path: Path, content: bytes) -> bool:
    return path.is_file() and path.read_bytes() == content


def link(source: Path, directory: Path) -> None:
    """Copies a source tree to a new directory, by hard links if both are on one disk."""
    same = source.stat().st_dev == directory.parent.stat().st_dev
    shutil.rmtree(directory, ignore_errors=True)
    subprocess.run(["cp", "-al" if same else "-a", source, directory], check=True)
