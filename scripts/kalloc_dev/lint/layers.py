# SPDX-License-Identifier: GPL-2.0-only
"""The layers of the crate: a directory of rust/ imports only from the directories below it."""

import re
from collections.abc import Iterator
from pathlib import Path

# Each layer, with the layers that it may use besides itself.
BELOW = {
    "sys": set[str](),
    "accounting": {"sys"},
    "page": {"sys", "accounting"},
    "alloc": {"sys", "accounting", "page"},
    "slab": {"sys", "accounting", "page", "alloc"},
    "mm": {"sys", "accounting", "page", "alloc", "slab"},
    "fs": {"sys", "accounting"},
    "trace": {"sys"},
}
# The parts above all layers, whose imports always go down.
TOP = {"kalloc", "module", "prelude"}
COMMENT = re.compile(r"//[^\n]*")
TREE_OF_NAMES = re.compile(r"\buse crate::\{((?:[^{};]|\{(?:[^{};]|\{[^{};]*\})*\})*)\};")
PATH = re.compile(r"\bcrate::(\w+)::")
PUBLIC = re.compile(r"(?<![$\w])crate::([A-Z]\w*)")
NESTED = re.compile(r"\{[^{}]*\}")


def imported(source: str) -> set[str]:
    """Returns the root modules of the crate that a file names, also in macros."""
    code = COMMENT.sub("", source)
    names = set(PATH.findall(code))
    for body in TREE_OF_NAMES.findall(code):
        while NESTED.search(body):
            body = NESTED.sub("", body)
        names |= {item.strip().split(":")[0].split()[0] for item in body.split(",") if item.strip()}
    return names | set(re.findall(r"\buse crate::(\w+)", code))


def wrong(rust: Path) -> Iterator[str]:
    """Names the imports that go up, and the files outside the layers."""
    for path in sorted(rust.rglob("*.rs")):
        layer, *_ = path.relative_to(rust).with_suffix("").parts
        if layer in TOP or layer == "testing":
            continue
        if layer not in BELOW:
            yield f"{path.relative_to(rust.parent)}: {layer} is not a layer"
            continue
        source = path.read_text()
        for name in sorted(imported(source) & (BELOW.keys() | TOP) - BELOW[layer] - {layer}):
            yield f"{path.relative_to(rust.parent)}: {layer} imports {name}, which is not below it"
        # A re-export hides its layer. Macros may use it, because they expand in other crates.
        for name in sorted(set(PUBLIC.findall(COMMENT.sub("", source))) - BELOW.keys()):
            yield f"{path.relative_to(rust.parent)}: crate::{name} is a re-export; import it from its layer"
