# SPDX-License-Identifier: GPL-2.0-only
"""The states of the overlay between the patches.

A patch adds files. The other files that name them grow with it: `mod` and `use` lines, `#include`
lines, the lists of objects in Kbuild and the options in Kconfig. Their intermediate content is
derived from the complete one, without the lines about files that a later patch adds.
"""

import re
from collections.abc import Callable, Mapping, Set
from pathlib import Path

from kalloc_dev.export import rust_names
from kalloc_dev.kernel.overlay import PLACE

CRATE = PLACE / "rust/kalloc.rs"
SUITES = PLACE / "tests/kunit/kalloc_kunit.rs"
MODULE = PLACE / "rust/module.rs"
INCLUDE = re.compile(r'^#include "(\w+\.c)"\n', re.M)
DECLARED = re.compile(r"^module! \{\n.*?^\}\n", re.M | re.S)
SOURCE = re.compile(r"(?<![\w/])(?:CFLAGS_|RUSTFLAGS_)?((?:rust|watch|samples|tests)/[\w/]+?)(?:\.o)?(?=[\s:]|$)")
OBJECTS = re.compile(r"^([\w-]+)-(?:y|\$\(.*\)) *[:+]= *(.*)$")
OPTION = re.compile(r"^config (\w+)\n(?:\t[^\n]*\n|\n)*", re.M)
# The items of a layer have their users in later patches.
# Without a module, the messages of the crate have this prefix, as those of the kernel crate have theirs.
LOG_PREFIX = 'const __LOG_PREFIX: &[u8] = b"kalloc\\0";\n'
UNUSED = "// The users of these items follow.\n#![allow(dead_code, unused_imports, unused_macros)]\n\n"


def reduced(files: Mapping[Path, bytes], present: Set[Path]) -> dict[Path, bytes]:
    """Returns the state in which only these files are present."""
    state = {}
    rust = _Rust(files, present)
    kbuild, options = _kbuild(files[PLACE / "Kbuild"].decode(), files, present)
    for path in present:
        text = files[path].decode()
        if path == PLACE / "Kbuild":
            text = kbuild
        elif path == PLACE / "Kconfig":
            text = _kconfig(text, options, MODULE in present)
        elif path.suffix == ".rs" and PLACE in path.parents:
            text = rust.reduced(path, text)
        elif path.suffix == ".c" and PLACE in path.parents:
            text = _c(path, text, files, present)
        state[path] = text.encode()
    return state


def _c(path: Path, text: str, files: Mapping[Path, bytes], present: Set[Path]) -> str:
    """Returns a C file that includes only present files."""
    def line(found: re.Match[str]) -> str:
        included = path.with_name(found[1])
        return "" if included in files and included not in present else found[0]

    return INCLUDE.sub(line, text)


class _Rust:
    """The Rust files without what names missing files."""

    def __init__(self, files: Mapping[Path, bytes], present: Set[Path]) -> None:
        self.files, self.present = files, present
        self.crate = rust_names.Crate(CRATE, files)
        self.incomplete = any(self.inside(path) and "testing" not in path.parts for path in files.keys() - present)
        # The aliases of types in missing files, which other files may import.
        self.aliases: set[tuple[Path, str]] = set()
        for path in present:
            if self.inside(path):
                self.reduced(path, files[path].decode())

    def inside(self, path: Path) -> bool:
        """Returns whether a file is one of the crate."""
        return path.suffix == ".rs" and self.crate.root.parent in path.parents

    def is_missing(self, path: Path, leaf: tuple[str, ...]) -> bool:
        """Returns whether an imported item is not there."""
        file = self.crate.file(path, leaf) if self.inside(path) else None
        return file is not None and (file not in self.present or (file, leaf[-1]) in self.aliases)

    def reduced(self, path: Path, text: str) -> str:
        """Returns the text of a file."""
        gone: set[str] = set()
        lost: set[str] = set()

        def declaration(found: re.Match[str]) -> str:
            target = rust_names.child(path, found[1], found[2], self.files)
            if target is None or target not in self.files or target in self.present:
                return found[0]
            gone.add(found[2])
            return ""

        def imports(found: re.Match[str]) -> str:
            paths = list(rust_names.leaves(found[3]))
            stays = [leaf for leaf in paths if leaf[0] not in gone and not self.is_missing(path, leaf)]
            lost.update(leaf[-1] for leaf in paths if leaf not in stays)
            if len(stays) == len(paths):
                return found[0]
            return f"{found[1]}{found[2]}{rust_names.shown(stays)};\n" if stays else ""

        def alias(found: re.Match[str]) -> str:
            self.aliases.add((path, found[1]))
            return ""

        text = rust_names.USE.sub(imports, rust_names.MOD.sub(declaration, text))
        for name in lost:
            text = re.sub(rf"^ *impl \w+ for {name} \{{\}}\n", "", text, flags=re.M)
            text = re.sub(rf"^(?:///[^\n]*\n|#\[[^\n]*\]\n)*pub type (\w+)[^;]*\b{name}\b[^;]*;\n\n?", alias, text, flags=re.M)
        for name in gone if not self.inside(path) else ():
            # A block, a statement or a field about the module.
            text = re.sub(rf"^(?: +///[^\n]*\n)*( *)[^\n/]*\b{name}::[^\n]*\{{\n.*?^\1\}}\n", "", text, flags=re.M | re.S)
            text = re.sub(rf"^(?: +///[^\n]*\n)* *[^\n/]*\b{name}::[^\n]*[;,]\n", "", text, flags=re.M)
        if path == CRATE and MODULE not in self.present:
            text = DECLARED.sub(lambda _: LOG_PREFIX, text)
        # The root of an incomplete crate, or of incomplete suites.
        if (path == CRATE and self.incomplete) or (path == SUITES and gone):
            at = re.search(r"^(?!//)(?=\S)", text, re.M)
            assert at
            text = text[:at.start()] + UNUSED + text[at.start():]
        return re.sub(r"\n{3,}", "\n\n", text).rstrip("\n") + "\n"


def _kbuild(text: str, files: Mapping[Path, bytes], present: Set[Path]) -> tuple[str, set[str]]:
    """Returns Kbuild without the objects of missing files, and the options that it has."""
    def missing(stem: str) -> bool:
        sources = [PLACE / f"{stem}{suffix}" for suffix in (".rs", ".c")]
        return any(path in files for path in sources) and not any(path in present for path in sources)

    modules: dict[str, bool] = {}
    for line in text.splitlines():
        if found := OBJECTS.match(line):
            # The first object of a module is that of its crate.
            if sources := SOURCE.findall(found[2]):
                modules.setdefault(found[1], not missing(sources[0]))
    gone = {name for name, there in modules.items() if not there}
    every = dict(re.findall(r"^obj-\$\((CONFIG_\w+)\) \+= (\w+)\.o$", text, re.M))
    dropped = {option for option, name in every.items() if name in gone}
    paragraphs = []
    for paragraph in text.split("\n\n"):
        units: list[tuple[list[str], list[str]]] = [([], [])]
        for line in re.split(r"(?<!\\)\n", paragraph):
            if line.startswith("#"):
                if units[-1][1]:
                    units.append(([], []))
                units[-1][0].append(line)
            else:
                units[-1][1].append(line)
        lines = []
        for comments, body in units:
            stays = [line for line in (_object_line(line, missing, gone, dropped) for line in body) if line is not None]
            if stays or not body:
                lines += [line for line in comments
                          if not ((found := re.match(r"#   (\w+)\.ko ", line)) and found[1] in gone)] + stays
        if lines:
            paragraphs.append("\n".join(lines))
    return "\n\n".join(paragraphs).rstrip("\n") + "\n", {option.removeprefix("CONFIG_") for option in every.keys() - dropped}


def _object_line(line: str, missing: Callable[[str], bool], gone: set[str], dropped: set[str]) -> str | None:
    """Returns a line of Kbuild without its missing objects, or None if nothing is left."""
    if (option := re.match(r"(?:obj-\$\()?(CONFIG_\w+)\)? [:+]= ", line)) and option[1] in dropped:
        return None
    if (found := OBJECTS.match(line)) and found[1] in gone:
        return None
    sources = SOURCE.findall(line)
    lost = [stem for stem in sources if missing(stem)]
    if not lost:
        return line
    if re.match(r"(?:CFLAGS|RUSTFLAGS)_", line) or len(lost) == len(sources):
        return None
    for stem in lost:
        line = re.sub(rf"(?<![\w/]){stem}(?:\.o)?(?![\w/])[ \t]*(?:\\\n[ \t]*)?", "", line)
    return line.rstrip().rstrip("\\").rstrip()


def _kconfig(text: str, options: set[str], module: bool) -> str:
    """Returns Kconfig without the options of missing modules."""
    text = OPTION.sub(lambda found: found[0] if found[1] in options else "", text)
    if not module:
        text = text.replace("tristate", "bool", 1)
        text = re.sub(r"\n\n\t  To compile this as a module[^\n]*\n\t  kalloc\.\n", "\n", text, count=1)
    return re.sub(r"\n{3,}", "\n\n", re.sub(r"\nif KALLOC\n+endif\n", "", text)).rstrip("\n") + "\n"
