# SPDX-License-Identifier: GPL-2.0-only
"""The public items without an example in the documentation.

A type, a trait, a function or a macro needs an example of its own. A method, a field or a constant
may be in the example of its owner, because its use is often one of several steps. Some example of
its part of the crate must then name it. An item that a trait requires is covered by the trait. Only
an example that is a KUnit case, or is compiled with them, counts.
"""

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from kalloc_dev.doc import doctests

ALONE = ("function", "struct", "enum", "union", "trait", "type_alias", "macro")
PARTS = ("function", "struct_field", "constant", "assoc_const", "assoc_type")

Item = dict[str, Any]


def missing(root: Path, index: Path) -> Iterator[str]:
    """Names each item without an example in rustdoc's JSON of the crate in `root`/rust."""
    crate = json.loads(index.read_text())
    code: dict[str, str] = {}
    for path in sorted((root / "rust").rglob("*.rs")):
        for example in doctests.examples(root, path):
            part = part_of(Path(example.file))
            code[part] = code.get(part, "") + "\n".join(example.code) + "\n"
    for item, inside in reachable(crate["index"], crate["root"]).values():
        (kind, _), = item["inner"].items()
        source, number = Path(item["span"]["filename"]), item["span"]["begin"][0]
        path = source.relative_to(root)
        if source.read_text().splitlines()[number - 1].lstrip().startswith("#["):
            # An attribute generated it.
            continue
        if inside:
            shown = bool(re.search(rf"\b{item['name']}\b", code.get(part_of(path), "")))
        else:
            shown = bool(re.search(r"^ *```( *no_run)?$", item["docs"] or "", re.M))
        if not shown:
            yield f"{path}:{number}: {kind} {item['name']} has no example"


def reachable(items: dict[str, Item], root: int) -> dict[str, tuple[Item, bool]]:
    """Returns the items that other crates can name, each with whether it is part of another one."""
    found: dict[str, tuple[Item, bool]] = {}
    seen: set[str] = set()
    todo = [(str(root), False)]
    while todo:
        key, inside = todo.pop()
        if key in seen or not (item := items.get(key)) or item["crate_id"]:
            continue
        seen.add(key)
        (kind, inner), = item["inner"].items()
        if kind in ALONE or kind in PARTS:
            found[key] = item, inside or kind not in ALONE
        if kind == "use":
            todo.append((str(inner["id"]), False))
        elif kind == "module":
            todo += [(str(child), False) for child in inner["items"]]
        elif kind == "struct":
            shape = inner["kind"]
            fields = shape["plain"]["fields"] if "plain" in shape else []
            todo += [(str(child), True) for child in (*fields, *inner["impls"])]
        elif kind == "enum":
            todo += [(str(child), True) for child in inner["impls"]]
        elif kind == "trait" or (kind == "impl" and not inner["trait"]):
            todo += [(str(child), True) for child in inner["items"]]
    return found


def part_of(path: Path) -> str:
    """Returns a file's part of the crate: pages, for rust/page.rs and all files in rust/pages/."""
    return Path(path.parts[1]).stem
