# SPDX-License-Identifier: GPL-2.0-only
"""The directive ``c-calls``: a table of C's allocating calls, from reference/c-calls.toml."""

import tomllib
from pathlib import Path
from typing import Any

from docutils import nodes
from docutils.statemachine import StringList
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

DATA = "reference/c-calls.toml"
HEADER = ".. list-table::\n   :header-rows: 1\n   :widths: 45 20 35\n\n   * - C\n     - kalloc\n     - Note\n"


def row(calls: dict[str, Any]) -> str:
    """Returns the row of some calls as reStructuredText."""
    names, types = (", ".join(f"``{name}``" for name in calls.get(column, [])) for column in ("functions", "by"))
    return f"   * - {names}\n     - {types or '–'}\n     - {calls.get('note', '')}\n"


class Calls(SphinxDirective):
    """The directive ``.. c-calls::``, which produces the table."""

    def run(self) -> list[nodes.Node]:
        """Returns the table."""
        path = Path(self.env.srcdir) / DATA
        self.env.note_dependency(str(path))
        text = HEADER + "".join(map(row, tomllib.loads(path.read_text())["calls"]))
        section = nodes.Element()
        self.state.nested_parse(StringList(text.splitlines(), DATA), 0, section)
        return section.children


def setup(app: Sphinx) -> dict[str, bool]:
    """Registers the directive."""
    app.add_directive("c-calls", Calls)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
