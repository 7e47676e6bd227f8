# SPDX-License-Identifier: GPL-2.0-only
"""The files that the `mod` and `use` lines of the crate name."""

import re
from collections.abc import Iterator, Mapping
from pathlib import Path

# A declaration of a module, with its documentation and attributes.
MOD = re.compile(r"^((?:///[^\n]*\n|#\[[^\n]*\]\n)*)(?:pub(?:\([a-z]+\))? )?mod (\w+);\n", re.M)
# An import or a re-export, with its attributes.
USE = re.compile(r"^((?:#\[[^\n]*\]\n)*)((?:pub(?:\([a-z]+\))? )?use )([^;]+);\n", re.M)
RE_EXPORT = re.compile(r"^pub(?:\([a-z]+\))? use ([^;]+);", re.M)
MACRO = re.compile(r"^#\[macro_export\]\nmacro_rules! (\w+)", re.M)
COMMENT = re.compile(r"//[^\n]*")
TOKEN = re.compile(r"\w+|::|[{},*]")


def leaves(tree: str) -> Iterator[tuple[str, ...]]:
    """Yields the paths in the tree of an import."""
    tokens = TOKEN.findall(COMMENT.sub("", tree))

    def walk(prefix: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
        path = prefix
        while tokens and tokens[0] not in ",}":
            token = tokens.pop(0)
            if token == "{":
                while tokens[0] != "}":
                    yield from walk(path)
                    if tokens[0] == ",":
                        tokens.pop(0)
                tokens.pop(0)
                return
            if token != "::":
                path = (*path, token)
        yield path

    yield from walk(())


def shown(paths: list[tuple[str, ...]], indent: str = "") -> str:
    """Returns the tree of an import, in the kernel's vertical style."""
    groups: dict[str, list[tuple[str, ...]]] = {}
    for first, *rest in paths:
        groups.setdefault(first, []).append(tuple(rest))
    items = [first if below == [()] else f"{first}::{shown(below, indent + '    ')}" for first, below in groups.items()]
    if len(items) == 1 and len(paths) == 1:
        return items[0]
    if len(items) == 1 and indent == "" and "{" in items[0]:
        (first, below), = groups.items()
        return f"{first}::{shown(below, indent)}"
    lines = "".join(f"{indent}    {item}," + (" //" if item is items[-1] else "") + "\n" for item in items)
    return f"{{\n{lines}{indent}}}"


def child(path: Path, attributes: str, name: str, files: Mapping[Path, object]) -> Path | None:
    """Returns the file that a declaration of a module names, or None if it depends on the configuration."""
    if "cfg_attr" in attributes and "path" in attributes:
        return None
    if explicit := re.search(r'^#\[path = "([^"]+)"\]', attributes, re.M):
        parts: list[str] = []
        for part in (*path.parent.parts, *Path(explicit[1]).parts):
            parts = parts[:-1] if part == ".." else [*parts, part]
        return Path(*parts)
    below = path.with_suffix("") / f"{name}.rs"
    return below if below in files else path.parent / f"{name}.rs"


class Crate:
    """The modules, re-exports and macros of a crate."""

    def __init__(self, root: Path, files: Mapping[Path, bytes]) -> None:
        """Reads the crate whose root is the file `root`."""
        self.root = root
        texts = {path: content.decode() for path, content in files.items()
                 if path.suffix == ".rs" and root.parent in path.parents}
        self.modules = {self.module(path): path for path in texts}
        self.macros = {name: path for path, text in texts.items() for name in MACRO.findall(text)}
        self.re_exports: dict[tuple[str, ...], tuple[str, ...]] = {}
        for path, text in texts.items():
            for tree in RE_EXPORT.findall(text):
                for leaf in leaves(tree):
                    target = self.absolute(path, leaf)
                    if target is not None:
                        self.re_exports[*self.module(path), leaf[-1]] = target

    def module(self, path: Path) -> tuple[str, ...]:
        """Returns the path of a file's module."""
        return () if path == self.root else path.relative_to(self.root.parent).with_suffix("").parts

    def absolute(self, path: Path, leaf: tuple[str, ...]) -> tuple[str, ...] | None:
        """Returns an imported path from the crate's root, or None if it is one of another crate."""
        if leaf[0] == "self":
            return (*self.module(path), *leaf[1:])
        return leaf[1:] if leaf[0] == "crate" else None

    def file(self, path: Path, leaf: tuple[str, ...]) -> Path | None:
        """Returns the file in which an imported item is defined, or None if it is in another crate."""
        target = self.absolute(path, leaf)
        return None if target is None else self._find(target)

    def _find(self, target: tuple[str, ...]) -> Path:
        if len(target) == 1 and target[0] in self.macros:
            return self.macros[target[0]]
        at = 0
        while target[:at + 1] in self.modules and at < len(target):
            at += 1
        if at < len(target) and (further := self.re_exports.get(target[:at + 1])) and further != target:
            return self._find((*further, *target[at + 1:]))
        return self.modules[target[:at]]
