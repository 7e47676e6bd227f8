# SPDX-License-Identifier: GPL-2.0-only
"""The directive ``hazards``: a table of one group of hazards, from explanation/hazards.toml."""

import tomllib
from pathlib import Path
from typing import Any

from docutils import nodes
from docutils.statemachine import StringList
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective
from sphinx.util.nodes import nested_parse_with_titles

DATA = "explanation/hazards.toml"
COLUMNS = "   :header-rows: 1\n   :widths: 24 8 40 28\n   :class: hazards\n"
HEADER = "   * - Hazard\n     - How\n     - Mechanism\n     - Tests or argument\n"


def row(hazard: dict[str, Any]) -> str:
    """Returns the row of a hazard as reStructuredText. Other pages can link to its number."""
    evidence = [", ".join(f"``{test}``" for test in hazard.get("tests", [])), str(hazard.get("argument", ""))]
    cells = [f"_`{hazard['id']}`: {hazard['hazard']}", hazard["how"], hazard["mechanism"], ". ".join(filter(None, evidence))]
    return "".join(f"   {'*' if cell is cells[0] else ' '} - {' '.join(str(cell).split())}\n" for cell in cells)


class Hazards(SphinxDirective):
    """The directive ``.. hazards:: GROUP``, which produces the table of that group."""

    required_arguments = 1
    final_argument_whitespace = True

    def run(self) -> list[nodes.Node]:
        """Returns the table."""
        path = Path(self.env.srcdir) / DATA
        self.env.note_dependency(str(path))
        rows = [row(hazard) for hazard in tomllib.loads(path.read_text())["hazard"] if hazard["group"] == self.arguments[0]]
        if not rows:
            raise self.error(f"{DATA} has no group {self.arguments[0]}")
        text = f".. list-table::\n{COLUMNS}\n{HEADER}{''.join(rows)}"
        section = nodes.Element()
        nested_parse_with_titles(self.state, StringList(text.splitlines(), DATA), section)
        return section.children


def setup(app: Sphinx) -> dict[str, bool]:
    """Registers the directive."""
    app.add_directive("hazards", Hazards)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
