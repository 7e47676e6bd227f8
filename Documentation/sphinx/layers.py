# SPDX-License-Identifier: GPL-2.0-only
"""The directive ``layers``: a table of the crate's layers, from rust/ and from the lint of its imports."""

import re
import sys
from pathlib import Path

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "scripts"))
from kalloc_dev.lint.layers import BELOW, imported  # noqa: E402

SUMMARY = re.compile(r"^//! (.+?)\.?$", re.M)


class Layers(SphinxDirective):
    """The directive ``.. layers::``, which produces the table with the top layer first."""

    def run(self) -> list[nodes.Node]:
        """Returns the table: the directory, its contents, its files, and the layers that it imports."""
        rust = Path(self.env.srcdir) / "../rust"
        rows = [("Layer", "Contents", "Files", "Imports")]
        for layer in reversed(BELOW):
            root = rust / f"{layer}.rs"
            summary = SUMMARY.search(root.read_text())
            if not summary:
                raise self.error(f"{root.name} has no first line of documentation")
            files = [root, *(rust / layer).rglob("*.rs")]
            names = set[str]().union(*(imported(path.read_text()) for path in files)) & BELOW.keys() - {layer}
            rows.append((layer, summary[1].replace("`", ""), str(len(files)), ", ".join(name for name in BELOW if name in names)))
        lines = [nodes.row("", *(nodes.entry("", nodes.paragraph("", text)) for text in row)) for row in rows]
        group = nodes.tgroup("", *(nodes.colspec(colwidth=width) for width in (12, 50, 6, 32)),
                             nodes.thead("", lines[0]), nodes.tbody("", *lines[1:]), cols=4)
        return [nodes.table("", group)]


def setup(app: Sphinx) -> dict[str, bool]:
    """Registers the directive."""
    app.add_directive("layers", Layers)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
