# SPDX-License-Identifier: GPL-2.0-only
"""Numbers and tables of measured.json, the record of the benchmarks.

The role ``measured`` is a number:

* ``SCENARIO, PARAMETER, SIDE``: the cost of a side (c, kalloc, uncounted, upstream)
* ``A over B``, ``A minus B``: a ratio, a difference
* ``bound WHAT``: the measured value of a bound
* ``size WHAT``: bytes of code
* ``KERNEL: …``: of another kernel than *bench*
* ``… < LIMIT``, ``… > LIMIT``: fails if the sentence around it is no longer true

The directives are tables of such numbers.
"""

import json
from functools import cache
from pathlib import Path
from typing import Any

from docutils import nodes
from docutils.parsers.rst import directives
from docutils.statemachine import StringList
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective, SphinxRole

DATA = "measured.json"
SIDES = {"c": "C", "kalloc": "kalloc", "uncounted": "uncounted", "upstream": "upstream"}
KERNELS = ("bench", "stock", "prof")


@cache
def record(path: str) -> dict[str, Any]:
    """Returns the runs on each kernel."""
    kernels: dict[str, Any] = json.loads(Path(path).read_text())["kernels"]
    return kernels


class Numbers:
    """The numbers of the record."""

    def __init__(self, srcdir: str) -> None:
        """Reads the record in the directory of the pages."""
        self.kernels = record(str(Path(srcdir) / DATA))

    def cost(self, name: str) -> float:
        """Returns one number."""
        kernel, name = next(((kernel, name[len(kernel) + 2:]) for kernel in KERNELS if name.startswith(f"{kernel}: ")),
                            ("bench", name))
        if name.startswith("size "):
            return float(self.kernels[kernel]["sizes"][name.removeprefix("size ")])
        if name.startswith("bound "):
            return float(self.kernels[kernel]["bounds"][name.removeprefix("bound ")]["measured"])
        scenario, side = name.rsplit(", ", 1)
        return float(self.kernels[kernel]["costs"][scenario][side])

    def value(self, text: str) -> str:
        """Returns the number that a role shows."""
        words, limit = text, None
        for sign in (" < ", " > "):
            if sign in text:
                words, limit = text.split(sign)[0], text.split(sign)
        if " over " in words:
            number, digits = self.cost(words.split(" over ")[0]) / self.cost(words.split(" over ")[1]), 2
        elif " minus " in words:
            number, digits = self.cost(words.split(" minus ")[0]) - self.cost(words.split(" minus ")[1]), 1
        else:
            number = self.cost(words)
            digits = 0 if words.startswith("size ") else 3 if number < 3 else 1
        if limit and (number >= float(limit[1]) if " < " in text else number <= float(limit[1])):
            raise ValueError(f"{words} is {number:.3f}: the sentence is no longer true")
        return f"{number:,.{digits}f}".removesuffix(".0") if " minus " in words else f"{number:,.{digits}f}"

    def range(self, scenario: str, side: str) -> str:
        """Returns the cost of a scenario on a side; of all its parameters if the last word is ``*``."""
        kept = self.kernels["bench"]["costs"]
        names = [scenario] if not scenario.endswith(", *") else [
            name for name in kept if name.rsplit(", ", 1)[0] == scenario.removesuffix(", *")]
        found = [kept[name][side] for name in names if side in kept.get(name, {})]
        if not found:
            return ""
        least, most = min(found), max(found)
        return f"{least:,.1f}" if most - least < 0.15 else f"{least:,.1f} to {most:,.1f}"


class Measured(SphinxRole):
    """The role ``measured``."""

    def run(self) -> tuple[list[nodes.Node], list[nodes.system_message]]:
        """Returns the number."""
        self.env.note_dependency(str(Path(self.env.srcdir) / DATA))
        try:
            return [nodes.Text(Numbers(str(self.env.srcdir)).value(" ".join(self.text.split())))], []
        except (KeyError, ValueError) as error:
            message = self.inliner.reporter.error(f"{DATA}: {error!r}: {self.text}", line=self.lineno)
            return [self.inliner.problematic(self.rawtext, self.rawtext, message)], [message]


class Table(SphinxDirective):
    """A directive whose table is made of the record."""

    has_content = True

    def table(self, rows: list[list[str]]) -> list[nodes.Node]:
        """Returns the table of cells of reStructuredText."""
        self.env.note_dependency(str(Path(self.env.srcdir) / DATA))
        text = ".. list-table::\n   :header-rows: 1\n\n" + "".join(
            f"   {'*' if number == 0 else ' '} - {cell}\n" for row in rows for number, cell in enumerate(row))
        section = nodes.Element()
        self.state.nested_parse(StringList(text.splitlines(), DATA), 0, section)
        return section.children

    @property
    def numbers(self) -> Numbers:
        """Returns the record."""
        return Numbers(str(self.env.srcdir))

    def lines(self) -> list[list[str]]:
        """Returns the content: cells between bars."""
        return [[cell.strip() for cell in line.split(" | ")] for line in self.content if line.strip()]


class Costs(Table):
    """``.. measured-costs:: HEADING``: a line is a label and a scenario; the columns are the sides."""

    required_arguments = 1
    final_argument_whitespace = True
    option_spec = {"sides": directives.unchanged_required}  # noqa: RUF012

    def run(self) -> list[nodes.Node]:
        """Returns the table."""
        sides = self.options.get("sides", "c kalloc upstream").split()
        rows = [[self.arguments[0], *(SIDES[side] for side in sides)]]
        for label, scenario in self.lines():
            cells = [self.numbers.range(scenario, side) for side in sides]
            if not any(cells):
                raise self.error(f"{DATA} has no {scenario}")
            rows.append([label, *cells])
        return self.table(rows)


class Owners(Table):
    """``.. measured-owners::``: a line is a need, an owner and a scenario; cheapest owners are first."""

    def run(self) -> list[nodes.Node]:
        """Returns the table."""
        needs: dict[str, list[tuple[float, str]]] = {}
        for need, owner, scenario in self.lines():
            needs.setdefault(need, []).append((self.numbers.cost(f"{scenario}, kalloc"), owner))
        rows = [["You need", "Owner", "Instructions", "Ratio"]]
        for need, owners in needs.items():
            least = min(owners)[0]
            rows += [["" if number else need, f"``{owner}``", f"{cost:,.1f}", f"{cost / least:.2f}"]
                     for number, (cost, owner) in enumerate(sorted(owners))]
        return self.table(rows)


class Lines(Table):
    """``.. measured-lines::``: the cache lines of data and of code that a round of a case touches, by side."""

    def run(self) -> list[nodes.Node]:
        """Returns the table."""
        kept = self.numbers.kernels["bench"]["lines"]
        sides = [side for side in SIDES if any(side in of for of in kept.values())]
        rows = [["Pairs", "Lines of", *(SIDES[side] for side in sides)]]
        for name, of in kept.items():
            scenario, what = name.rsplit(", ", 1)
            rows.append(["" if rows[-1][0] == scenario or what == "code" else scenario, what,
                         *(f"{of[side]:,}" if side in of else "" for side in sides)])
        return self.table(rows)


class Parts(Table):
    """``.. measured-parts::``: the instructions of a pair of kmalloc() and kfree() in C, by function."""

    def run(self) -> list[nodes.Node]:
        """Returns the table."""
        parts = self.numbers.kernels["bench"]["parts"]
        rows = [["Function", "Instructions", "of its frame"]]
        rows += [[f"``{name}``", f"{of['instructions']:.0f}", f"{of['frames']:.0f}"] for name, of in parts.items()]
        rows.append(["all", *(f"{sum(of[what] for of in parts.values()):.0f}" for what in ("instructions", "frames"))])
        return self.table(rows)


class Bounds(Table):
    """``.. measured-bounds::``: all bounds, with their values on each kernel; a broken one is bold."""

    def run(self) -> list[nodes.Node]:
        """Returns the table."""
        kernels = [kernel for kernel in KERNELS if kernel in self.numbers.kernels]
        by_kernel = {kernel: self.numbers.kernels[kernel]["bounds"] for kernel in kernels}
        rows = [["Bound", "Limit", *(f"*{kernel}*" for kernel in kernels)]]
        for what in dict.fromkeys(what for bounds in by_kernel.values() for what in bounds):
            limit = next(bounds[what]["limit"] for bounds in by_kernel.values() if what in bounds)
            cells = [self.cell(by_kernel[kernel].get(what), limit) for kernel in kernels]
            rows.append([what, f"{limit:,g}", *cells])
        return self.table(rows)

    @staticmethod
    def cell(bound: dict[str, float] | None, limit: float) -> str:
        """Returns the measured value."""
        if bound is None:
            return ""
        text = f"{bound['measured']:,.3f}" if limit < 3 else f"{bound['measured']:,.1f}"
        return text if bound["measured"] <= limit else f"**{text}**"


def setup(app: Sphinx) -> dict[str, bool]:
    """Registers the role and the directives."""
    app.add_role("measured", Measured())
    app.add_directive("measured-costs", Costs)
    app.add_directive("measured-owners", Owners)
    app.add_directive("measured-bounds", Bounds)
    app.add_directive("measured-lines", Lines)
    app.add_directive("measured-parts", Parts)
    return {"parallel_read_safe": True, "parallel_write_safe": True}
