# SPDX-License-Identifier: GPL-2.0-only
"""The error messages of the scripts and modules, compared with the page that explains them.

Two messages are the same if their constant text is; a variable part is "…". The glossary in
Documentation/howto/troubleshooting.rst states the cause and the remedy of each message.
"""

import ast
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

PAGE = "Documentation/howto/troubleshooting.rst"
VARIES = "…"
# The calls that raise a message besides Failure and its subclasses, each with the index of the
# text.
RAISING = {"ArgumentTypeError": 0, "ValueError": 0, "error": 0, "demand": 1, "_mistake": 0}
# The function that prints a message, and the prefix of an error.
SAYING, SAID = "say", "error: "
# The name of a table with a message for each status.
TABLE = "MEANING"

PRINTED = re.compile(r'pr_(?:emerg|alert|crit|err|warn)!\(\s*"((?:[^"\\]|\\.)*)"', re.S)
THROWN = re.compile(r'#\[error\("((?:[^"\\]|\\.)*)"')
ECHOED = re.compile(r'echo "error: ((?:[^"\\]|\\.)*)"')
ENTRY = re.compile(r"^   ``(.+)``$", re.M)


def unexplained(root: Path) -> Iterator[str]:
    """Names the messages that the page lacks, and the entries of the page without a message."""
    said = dict(sorted(collected(root)))
    explained = ENTRY.findall((root / PAGE).read_text())
    yield from (f"{where}: {PAGE} does not have ``{text}``" for text, where in said.items() if text not in explained)
    yield from (f"{PAGE}: no source has ``{text}``" for text in explained if text not in said)
    yield from (f"{PAGE}: has ``{text}`` {explained.count(text)} times" for text in sorted(set(explained))
                if explained.count(text) > 1)


def collected(root: Path) -> Iterator[tuple[str, str]]:
    """Returns each message of the tree that has constant text, and its place."""
    return ((text, where) for text, where in everything(root) if re.search(r"\w\w", text))


def everything(root: Path) -> Iterator[tuple[str, str]]:
    """Returns each message of the tree, and its place."""
    yield from python(root)
    for path in sorted((root / "scripts").iterdir()):
        if path.is_file() and path.read_bytes().startswith(b"#!/bin/sh"):
            for said in ECHOED.findall(path.read_text()):
                yield re.sub(r"\$\w+|\$\{\w+\}", VARIES, said), str(path.relative_to(root))
    for top, pattern in (("rust", PRINTED), ("samples", PRINTED), ("tools", THROWN)):
        for path in sorted((root / top).rglob("*.rs")):
            code = path.read_text()
            for found in pattern.finditer(code):
                line = code.count("\n", 0, found.start()) + 1
                yield plain(found[1]), f"{path.relative_to(root)}:{line}"


def plain(text: str) -> str:
    """Returns the text of a format of Rust."""
    text = re.sub(r"\\\n\s*", "", text.removesuffix(r"\n"))
    return tidy(re.sub(r"\{[^{}]*\}", VARIES, text).replace('\\"', '"'))


def tidy(text: str) -> str:
    """Returns a message for comparison: its first line, with one mark for each variable part."""
    return re.sub(f"{VARIES}(?:{VARIES})+", VARIES, text.split("\n", maxsplit=1)[0]).strip()


def python(root: Path) -> Iterator[tuple[str, str]]:
    """Returns the messages of the scripts."""
    modules = {path: ast.parse(path.read_text()) for path in sorted((root / "scripts").rglob("*"))
               if path.is_file() and (path.suffix == ".py" or path.read_bytes().startswith(b"#!/usr/bin/env python3"))}
    raising = RAISING | {"Failure": 0}
    while derived := {node.name: 0 for tree in modules.values() for node in ast.walk(tree)
                      if isinstance(node, ast.ClassDef) and node.name not in raising
                      and any(name_of(base) in raising and name_of(base) not in RAISING for base in node.bases)}:
        raising |= derived
    for path, tree in modules.items():
        for node, texts in messages(tree, raising):
            for text in texts:
                yield tidy(text.removesuffix(f" (log: {VARIES})")), f"{path.relative_to(root)}:{node.lineno}"


def messages(tree: ast.Module, raising: dict[str, int]) -> Iterator[tuple[ast.expr, list[str]]]:
    """Returns the messages of a module, and the expressions that raise them."""
    known = alternatives(tree)
    # The argument of a wrapper is found at the call of the wrapper.
    passed = {call for node in ast.walk(tree) if isinstance(node, ast.FunctionDef) and node.name in RAISING
              for call in ast.walk(node) if isinstance(call, ast.Call)}
    for node in ast.walk(tree):
        if node in passed:
            continue
        if isinstance(node, ast.Call) and (name := name_of(node.func)) in raising and len(node.args) > raising[name]:
            texts = text_of(node.args[raising[name]], known)
            yield node, [f"KDIR={VARIES} {text}" for text in texts] if name == "demand" else texts
        elif isinstance(node, ast.Call) and name_of(node.func) == SAYING:
            yield node, [text.removeprefix(SAID) for text in text_of(node.args[0], known) if text.startswith(SAID)]
        elif isinstance(node, ast.Assign) and name_of(node.targets[0]) == TABLE and isinstance(node.value, ast.Dict):
            for value in node.value.values:
                yield value, text_of(value, known)


def alternatives(tree: ast.Module) -> dict[str, ast.expr]:
    """Returns the names that are assigned once, to a choice of texts."""
    given = [(name_of(node.targets[0]), node.value) for node in ast.walk(tree) if isinstance(node, ast.Assign)]
    names = [name for name, _ in given]
    return {name: value for name, value in given if isinstance(value, ast.IfExp) and names.count(name) == 1
            and all(isinstance(one, (ast.Constant, ast.JoinedStr, ast.IfExp)) for one in (value.body, value.orelse))}


def name_of(node: ast.expr) -> str:
    """Returns the last word of a name."""
    return node.attr if isinstance(node, ast.Attribute) else node.id if isinstance(node, ast.Name) else ""


def text_of(node: ast.expr, known: dict[str, ast.expr]) -> list[str]:
    """Returns the possible texts of an expression: several if it has alternatives."""
    if isinstance(node, ast.Constant):
        return [str(node.value)]
    if isinstance(node, ast.FormattedValue):
        return text_of(node.value, known)
    if isinstance(node, ast.IfExp):
        return text_of(node.body, known) + text_of(node.orelse, known)
    if isinstance(node, ast.Name) and node.id in known:
        return text_of(known[node.id], known)
    if isinstance(node, ast.JoinedStr):
        return joined(text_of(part, known) for part in node.values)
    if isinstance(node, ast.BinOp):
        return joined([text_of(node.left, known), text_of(node.right, known)])
    if isinstance(node, ast.Call) and name_of(node.func) == "get" and len(node.args) == 2:
        return [VARIES, *text_of(node.args[1], known)]
    return [VARIES]


def joined(parts: Iterable[list[str]]) -> list[str]:
    """Returns each combination of one text of each part."""
    made = [""]
    for part in parts:
        made = [before + text for before in made for text in part]
    return made
