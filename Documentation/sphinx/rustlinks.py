# SPDX-License-Identifier: GPL-2.0-only
"""Links from the pages to the crate's documentation, which rustdoc writes beside them.

A literal with the name of an item becomes a link, as in the kernel's documentation. A literal with
a member that its type does not have is an error, so pages and code stay consistent. Without the
crate's documentation, names and links become plain text.
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
# The prefixes of rustdoc's anchors for the members of an item.
MEMBERS = ("method", "tymethod", "associatedconstant", "associatedtype", "variant", "structfield")
# An alias has the members of its target, which may be in another crate.
ALIAS = "type."

logger = logging.getLogger(__name__)


class Crate:
    """The items with a page of rustdoc, by name."""

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        index = directory / CRATE / "all.html"
        self.built = index.exists()
        self.pages: dict[str, str] = {}
        names: dict[str, set[str]] = {}
        for href, path in ITEM.findall(index.read_text() if self.built else ""):
            self.pages[path] = href
            names.setdefault(path.rpartition("::")[2], set()).add(href)
        # The pages use the last component of a path. It becomes a link if only one item has that
        # name.
        self.short = {name: hrefs.pop() for name, hrefs in names.items() if len(hrefs) == 1}

    def find(self, text: str) -> str | None:
        """Returns the address of an item, or None if the crate has no such name.

        Raises ValueError for an unknown member.
        """
        found = NAME.fullmatch(re.sub(r"<.*>", "", text))
        if not found:
            return None
        path, name, member = found.groups()
        whole = self.pages.get(f"{path}{name}") or self.pages.get(f"{path}{name}::{member}")
        # A lower-case word without a path is usually English or C, not a function of the crate.
        if not whole and not path and name[0].isupper():
            whole = self.short.get(name)
        if not whole and member and f"{path}{name}::{member}".rpartition("::")[2][0].isupper():
            return self.short.get(member)
        if not whole or not (member or path or name[0].isupper()):
            return None
        if not member or whole == self.pages.get(f"{path}{name}::{member}"):
            return f"{CRATE}/{whole}"
        page = (self.directory / CRATE / whole).read_text()
        for kind in MEMBERS:
            if f'id="{kind}.{member}"' in page:
                return f"{CRATE}/{whole}#{kind}.{member}"
        if Path(whole).name.startswith(ALIAS):
            return f"{CRATE}/{whole}"
        raise ValueError(f"{name} has no {member}")


class RustLinks(SphinxPostTransform):
    """The transform that adds the links to a page."""

    default_priority = 500
    formats = ("html",)

    def run(self, **_: object) -> None:
        """Replaces each literal with the name of an item by a link."""
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
        if not crate.built:
            for link in list(self.document.findall(nodes.reference)):
                if link.get("refuri", "").removeprefix("../").startswith(f"{CRATE}/"):
                    link.replace_self(nodes.inline("", "", *link.children))


def setup(app: Sphinx) -> dict[str, bool]:
    """Registers the extension."""
    app.rust_crate = Crate(Path(app.outdir))  # type: ignore[attr-defined]
    app.add_post_transform(RustLinks)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
