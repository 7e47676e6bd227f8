# SPDX-License-Identifier: GPL-2.0-only
"""This tree as a part of the kernel's source: lib/kalloc, its documentation and its maintainers.

lib/ is the place of code that drivers of all subsystems call and that has KUnit suites of its own.
mm/ is not: kalloc uses only interfaces that mm/ offers to the whole kernel.
"""

import re
import shutil
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path

from kalloc_dev.core.paths import TREE
from rust_kbuild.console import Failure

PLACE = Path("lib/kalloc")
# The parts of this tree that a kernel tree has: the crate, the samples, the watch and the KUnit suites.
PARTS = (".kunitconfig", "Kbuild", "Kconfig", "rust/**/*.[ch]", "rust/**/*.rs", "rust/sys/bindgen_parameters",
         "samples/**/*.rs", "samples/kv/*.h", "watch/**/*.[ch]", "watch/**/*.rs", "tests/kunit/**/*.rs",
         "tests/kunit/configs/*.config")
# The part of a module that only exists out of tree.
EXCEPT = "rust/testing/race.rs"
# The files outside PLACE, with their origin in this tree.
OUTSIDE = {Path("Documentation/core-api/kalloc.rst"): Path("scripts/kalloc_dev/export/kalloc.rst")}
MAINTAINERS = """\
KALLOC (MEMORY ALLOCATORS AS SAFE RUST)
L:	rust-for-linux@vger.kernel.org
L:	linux-mm@kvack.org
S:	Maintained
F:	Documentation/core-api/kalloc.rst
F:	lib/kalloc/

"""


def _appended(line: str) -> Callable[[str], str]:
    return lambda text: f"{text}\n{line}"


def _documented(text: str) -> str:
    return text.replace("   mm-api\n", "   mm-api\n   kalloc\n", 1)


def _maintained(text: str) -> str:
    """Inserts an entry before the first one behind it in the alphabet, among those with the same initial."""
    title = MAINTAINERS.partition("\n")[0]
    starts = [found for found in re.finditer(r"(?<=\n\n)K[^\n]*(?=\n[A-Z]:)", text) if found[0] > title]
    at = starts[0].start() if starts else len(text)
    return text[:at] + MAINTAINERS + text[at:]


# The changes for kalloc in files of the kernel, with a part of the result by which it is recognized.
HOOKS: dict[Path, tuple[str, Callable[[str], str]]] = {
    Path("lib/Kconfig"): ("lib/kalloc/", _appended('source "lib/kalloc/Kconfig"\n')),
    Path("lib/Makefile"): (" kalloc/\n", _appended("obj-$(CONFIG_KALLOC) += kalloc/\n")),
    Path("Documentation/core-api/index.rst"): ("   kalloc\n", _documented),
    Path("MAINTAINERS"): ("\nKALLOC ", _maintained),
}


def tree() -> dict[Path, bytes]:
    """Returns the new files by their path in the kernel tree."""
    own = {PLACE / path.relative_to(TREE): path.read_bytes() for part in PARTS for path in sorted(TREE.glob(part))
           if path != TREE / EXCEPT}
    return own | {path: (TREE / origin).read_bytes() for path, origin in OUTSIDE.items()}


def hooked(source: Path) -> dict[Path, bytes]:
    """Returns the changed files of the kernel."""
    changed = {}
    for path, (mark, change) in HOOKS.items():
        if not (source / path).is_file():
            raise Failure(f"{source} is not a Linux source tree: it has no {path}")
        text = (source / path).read_text()
        changed[path] = (text if mark in text else change(text)).encode()
    return changed


def write(source: Path) -> list[Path]:
    """Puts this tree into a kernel's source tree; returns the paths that were changed.

    The function also works on a tree that has an older version of this tree. Files with the same
    content keep their modification times, so that make does not build their objects again. Changed
    files are new files, because a file may be a hard link to that of another tree.
    """
    return replace(source, tree() | hooked(source))


def replace(source: Path, wanted: Mapping[Path, bytes]) -> list[Path]:
    """Writes these files to a kernel's source tree, and removes others in PLACE; returns the paths that were changed."""
    changed = [path for path, content in wanted.items() if not _has(source / path, content)]
    for path in changed:
        (source / path).parent.mkdir(parents=True, exist_ok=True)
        fresh = source / path.with_name(f".{path.name}.new")
        fresh.write_bytes(wanted[path])
        fresh.replace(source / path)
    stale = [path.relative_to(source) for path in (source / PLACE).rglob("*")
             if path.is_file() and path.relative_to(source) not in wanted]
    stale += [path for path in OUTSIDE if path not in wanted and (source / path).exists()]
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
