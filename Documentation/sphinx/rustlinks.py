# SPDX-License-Identifier: GPL-2.0
"""Names of the crate's items link to the crate's own documentation, beside these pages.

As in the kernel's documentation nobody writes these links: a literal that is the name of an item
becomes one. A literal that names a member which its type does not have is an error, so that pages
and code cannot drift apart.
"""

import os
import re
from pathlib import Path

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.transforms.post_transforms import SphinxPostTransform
from sphinx.util import logging

CRATE = "kalloc"
ITEM = re.compile(r'<a href="([\w/]+\.[\w.]+\.html)">([\w:]+)</a>')
NAME = re.compile(r"(?:kalloc::)?((?:[a-z_]\w*::)*)(\w+)(?:::(\w+))?!?(?:\(\))?")
# What rustdoc calls the parts of an item.
PARTS = ("method", "tymethod", "associatedconstant", "associatedtype", "variant", "structfield")
# An alias of another crate's type has the members of that.
ALIAS = "type."

logger = logging.getLogger(__name__)


class Crate:
    """The items that rustdoc has pages of, by name."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        index = folder / CRATE / "all.html"
        self.pages: dict[str, str] = {}
        names: dict[str, set[str]] = {}
        for href, path in ITEM.findall(index.read_text() if index.exists() else ""):
            self.pages[path] = href
            names.setdefault(path.rpartition("::")[2], set()).add(href)
        # Users write the last word, wherever the item is defined; it must be one item's only.
        self.short = {name: hrefs.pop() for name, hrefs in names.items() if len(hrefs) == 1}

    def find(self, text: str) -> str | None:
        """The page and place of a name; None if it is none of this crate. ValueError for a part that is not there."""
        found = NAME.fullmatch(re.sub(r"<.*>", "", text))
        if not found:
            return None
        path, name, part = found.groups()
        whole = self.pages.get(f"{path}{name}") or self.pages.get(f"{path}{name}::{part}")
        # A lower-case word alone is a word of the language, or of C, more often than a function of ours.
        if not whole and not path and name[0].isupper():
            whole = self.short.get(name)
        if not whole and part and f"{path}{name}::{part}".rpartition("::")[2][0].isupper():
            return self.short.get(part)
        if not whole or not (part or path or name[0].isupper()):
            return None
        if not part or whole == self.pages.get(f"{path}{name}::{part}"):
            return f"{CRATE}/{whole}"
        page = (self.folder / CRATE / whole).read_text()
        for kind in PARTS:
            if f'id="{kind}.{part}"' in page:
                return f"{CRATE}/{whole}#{kind}.{part}"
        if Path(whole).name.startswith(ALIAS):
            return f"{CRATE}/{whole}"
        raise ValueError(f"{name} has no {part}")


class RustLinks(SphinxPostTransform):
    """Makes the links."""

    default_priority = 500
    formats = ("html",)

    def run(self, **_: object) -> None:
        """Does it for one page."""
        crate = self.app.rust_crate  # type: ignore[attr-defined]
        up = os.path.relpath(".", os.path.dirname(self.env.docname) or ".")
        for literal in list(self.document.findall(nodes.literal)):
            if isinstance(literal.parent, nodes.reference):
                continue
            try:
                target = crate.find(literal.astext())
            except ValueError as problem:
                logger.warning("%s", problem, location=literal)
                continue
            if target:
                link = nodes.reference("", "", internal=True, refuri=os.path.normpath(f"{up}/{target}"))
                literal.replace_self(link)
                link += literal


def setup(app: Sphinx) -> dict[str, bool]:
    """What Sphinx calls."""
    app.rust_crate = Crate(Path(app.outdir))  # type: ignore[attr-defined]
    app.add_post_transform(RustLinks)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
