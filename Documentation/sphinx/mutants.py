# SPDX-License-Identifier: GPL-2.0-only
"""The directive ``mutants``: a table of the patches in tests/defects/, from their headers."""

import re
from pathlib import Path

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

PATCHES = "../tests/defects"
# REUSE-IgnoreStart
TEXT = re.compile(r"SPDX-License-Identifier: \S+\n\n(.*?)\n\nTest: (.*?)\n", re.S)
# REUSE-IgnoreEnd


def cell(*children: nodes.Node) -> nodes.entry:
    """Returns a cell with one paragraph."""
    return nodes.entry("", nodes.paragraph("", "", *children))


class Mutants(SphinxDirective):
    """The directive ``.. mutants::``, which produces the table."""

    def run(self) -> list[nodes.Node]:
        """Returns the table: the name, the description, and the command that must fail."""
        rows = [("Mutant", "Description", "Fails")]
        for path in sorted((Path(self.env.srcdir) / PATCHES).glob("*.patch")):
            found = TEXT.match(path.read_text())
            if not found:
                raise self.error(f"{path.name} does not begin with a license, a description and a test")
            rows.append((path.stem, " ".join(found[1].split()), found[2].removeprefix("scripts/kalloc ")))
        if len(rows) == 1:
            raise self.error(f"{PATCHES} has no patch")
        lines = [nodes.row("", cell(nodes.literal("", name) if number else nodes.Text(name)), cell(nodes.Text(text)),
                           cell(nodes.literal("", test) if number else nodes.Text(test)))
                 for number, (name, text, test) in enumerate(rows)]
        group = nodes.tgroup("", *(nodes.colspec(colwidth=width) for width in (20, 48, 32)),
                             nodes.thead("", lines[0]), nodes.tbody("", *lines[1:]), cols=3)
        return [nodes.table("", group)]


def setup(app: Sphinx) -> dict[str, bool]:
    """Registers the directive."""
    app.add_directive("mutants", Mutants)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
