# SPDX-License-Identifier: GPL-2.0-only
"""Reports of the results: text, reStructuredText, HTML and charts."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import TYPE_CHECKING
from xml.sax.saxutils import escape

if TYPE_CHECKING:
    from kalloc_dev.bench.bounds import Verdict
    from kalloc_dev.bench.result import Result

SIDES = ("c", "kalloc", "uncounted", "upstream")
Row = tuple[str, str, list[str]]


def rows(results: list[Result]) -> list[Row]:
    """Returns a row for each scenario and parameter: each side's cost, and kalloc's ratio to C."""
    costs: dict[tuple[bool, str, int], dict[str, float]] = {}
    for result in results:
        costs.setdefault((result.profiling, result.scenario, result.param), {})[result.side] = result.least
    made = []
    for (profiling, scenario, param), by_side in costs.items():
        cells = [f"{by_side[side]:.1f}" if side in by_side else "" for side in SIDES]
        both = "c" in by_side and "kalloc" in by_side
        cells.append(f"{by_side['kalloc'] / by_side['c']:.3f}" if both else "")
        made.append((scenario + (", profiled" if profiling else ""), str(param), cells))
    return made


def table(results: list[Result]) -> str:
    """Returns the costs as text."""
    lines = [f"{'instructions per allocation and free':<52} {'param':>7}"
             + "".join(f"{side:>11}" for side in (*SIDES, "kalloc/c"))]
    lines += [f"{scenario:<52} {param:>7}" + "".join(f"{cell:>11}" for cell in cells)
              for scenario, param, cells in rows(results)]
    return "\n".join(lines) + "\n"


def times(results: list[Result]) -> str:
    """Returns the nanoseconds with their spread, and the cycles, as text."""
    lines = [f"{'nanoseconds per allocation and free':<52} {'param':>7} {'side':<9}"
             f"{'least':>9}{'median':>9}{'most':>9}{'cycles':>9}{'median':>9}"]
    lines += [f"{r.scenario:<52} {r.param:>7} {r.side:<9}"
              + "".join(f"{value:>9.1f}" for value in (r.least, r.median, r.most, r.cycles_least, r.cycles_median))
              for r in results]
    return "\n".join(lines) + "\n"


def judgement(verdicts: list[Verdict]) -> str:
    """Returns each bound, its measured value and its verdict as text."""
    lines = [f"{'bound':<52} {'limit':>7} {'measured':>9}"]
    lines += [f"{v.what:<52} {v.limit:>7.2f} {v.measured:>9.3f} {v.unit + ', worst at ' + str(v.param):<28}"
              f"{'ok' if v.ok else 'BROKEN'}" for v in verdicts]
    return "\n".join(lines) + "\n"


def grid(header: list[str], body: list[list[str]]) -> str:
    """Returns a simple table of reStructuredText."""
    widths = [max(len(line[column]) for line in (header, *body)) for column in range(len(header))]
    rule = "  ".join("=" * width for width in widths)

    def line(cells: list[str]) -> str:
        # An empty first cell would continue the row above.
        return "  ".join((cell or "..").ljust(width) for cell, width in zip(cells, widths)).rstrip()

    return "\n".join([rule, line(header), rule, *map(line, body), rule]) + "\n"


def rst(results: list[Result], verdicts: list[Verdict]) -> str:
    """Returns the tables of Documentation/explanation/performance.rst."""
    bounds = [[v.what, f"{v.limit:.2f}", f"{v.measured:.3f} {v.unit}", "yes" if v.ok else "no"] for v in verdicts]
    # Only the columns that every result has. The name of a test may begin with a number and a
    # period.
    costs = [["\\" + scenario if scenario[0].isdigit() else scenario, param, *cells]
             for scenario, param, cells in rows(results)]
    return (grid(["bound", "limit", "measured", "kept"], bounds) + "\n"
            + grid(["scenario", "param", "C", "kalloc", "uncounted", "upstream", "kalloc/C"], costs))


# ---- charts --------------------------------------------------------------------

COLOURS = {"c": "#555555", "kalloc": "#c8402a", "uncounted": "#e8a33d", "upstream": "#3a6ea5"}
# The chart of each family: its scenario, and the unit of its parameter.
CHARTS = {
    "kmalloc": ("2. Kmalloc: alloc/free test", "bytes"),
    "kmalloc-many": ("1. Kmalloc: Repeatedly allocate then free test", "bytes"),
    "cache": ("kmem bulk_quick_reuse", "objects in a batch"),
    "pages": ("page_bench01", "order"),
    "pages-bulk": ("page_bench04", "pages at once"),
    "vmalloc": ("fix_size_alloc_test", "pages"),
}
WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM = 640, 360, 70, 110, 40, 50


def charts(results: list[Result]) -> Iterable[tuple[str, str]]:
    """Returns a chart for each family that was measured."""
    for family, (scenario, unit) in CHARTS.items():
        lines: dict[str, list[tuple[int, float]]] = {}
        for result in results:
            if result.scenario == scenario and not result.profiling:
                lines.setdefault(result.side, []).append((result.param, result.least))
        if lines:
            yield family, chart(scenario, unit, lines)


def chart(title: str, unit: str, lines: dict[str, list[tuple[int, float]]]) -> str:
    """Returns a chart in SVG: the parameter's logarithm to the right, instructions upwards."""
    params = sorted({param for points in lines.values() for param, _ in points})
    costs = [cost for points in lines.values() for _, cost in points]
    # A logarithmic scale if the costs differ by more than ten times.
    scale = math.log10 if max(costs) > 10 * min(costs) > 0 else float
    bottom = scale(min(costs)) if scale is math.log10 else 0.0
    top = scale(max(costs)) * (1.02 if scale is math.log10 else 1.08)

    def x_of(param: int) -> float:
        # Some parameters, such as orders, start at 0.
        spread = [math.log2(p + (params[0] == 0)) for p in (params[0], param, params[-1])]
        return LEFT + (WIDTH - LEFT - RIGHT) * (spread[1] - spread[0]) / ((spread[2] - spread[0]) or 1)

    def y_of(cost: float) -> float:
        return HEIGHT - BOTTOM - (HEIGHT - TOP - BOTTOM) * (scale(cost) - bottom) / ((top - bottom) or 1)

    out = [
        # REUSE-IgnoreStart
        "<!-- SPDX-License-Identifier: GPL-2.0-only -->",
        # REUSE-IgnoreEnd
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {WIDTH} {HEIGHT}" font-family="sans-serif" font-size="12">',
        f'<rect width="{WIDTH}" height="{HEIGHT}" fill="white"/>',
        f'<text x="{LEFT}" y="22" font-size="14">{escape(title)}: instructions per allocation and free</text>',
        f'<text x="{(LEFT + WIDTH - RIGHT) / 2}" y="{HEIGHT - 12}" text-anchor="middle">{escape(unit)}</text>',
    ]
    last = -math.inf
    for param in params:
        if x_of(param) - last >= 30:
            last = x_of(param)
            out.append(f'<text x="{last:.1f}" y="{HEIGHT - BOTTOM + 18}" text-anchor="middle">{param}</text>')
    for step in range(5):
        value = bottom + (top - bottom) * step / 4
        cost = 10 ** value if scale is math.log10 else value
        y = y_of(cost) if cost > 0 else HEIGHT - BOTTOM
        out.append(f'<line x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y:.1f}" y2="{y:.1f}" stroke="#dddddd"/>')
        out.append(f'<text x="{LEFT - 8}" y="{y + 4:.1f}" text-anchor="end">{cost:.0f}</text>')
    for number, (side, points) in enumerate(sorted(lines.items(), key=lambda item: SIDES.index(item[0]))):
        path = " ".join(f"{x_of(param):.1f},{y_of(cost):.1f}" for param, cost in sorted(points))
        dash = ' stroke-dasharray="5 4"' if side == "c" else ""
        out.append(f'<polyline points="{path}" fill="none" stroke="{COLOURS[side]}" stroke-width="2"{dash}/>')
        out += [f'<circle cx="{x_of(param):.1f}" cy="{y_of(cost):.1f}" r="2.5" fill="{COLOURS[side]}"/>'
                for param, cost in points]
        y = TOP + 20 * number + 10
        out.append(f'<text x="{WIDTH - RIGHT + 14}" y="{y}" fill="{COLOURS[side]}">{side}</text>')
    return "\n".join([*out, "</svg>"]) + "\n"


# ---- the page for a browser -----------------------------------------------------

HTML = """<!DOCTYPE html>
<!-- SPDX-License-Identifier: GPL-2.0-only -->
<html lang="en"><head><meta charset="utf-8"><title>kalloc: measurements</title><style>
body {{ font: 14px sans-serif; max-width: 1340px; margin: 2em auto; padding: 0 1em }}
table {{ border-collapse: collapse; margin: 1em 0 }}
td, th {{ padding: 2px 10px; border-bottom: 1px solid #ddd; text-align: right }}
td:first-child, th:first-child {{ text-align: left }} .broken {{ background: #fdd }} svg {{ width: 640px; max-width: 100% }}
</style></head><body>
<h1>Measurements</h1>
<p>{about}</p>
<h2>Bounds</h2>
{bounds}
<h2>Charts</h2>
{charts}
<h2>All results</h2>
{costs}
</body></html>
"""


def html(about: dict[str, object], results: list[Result], timed: list[Result], verdicts: list[Verdict]) -> str:
    """Returns a self-contained page: the origin, the bounds, the charts, and every result."""
    of = "; ".join(f"{name}: {about[name]}" for name in ("kernel", "release", "compiler", "rustc", "unit"))
    bounds = [(not v.ok, [v.what, f"{v.limit:.2f}", f"{v.measured:.3f} {v.unit}", "yes" if v.ok else "no"]) for v in verdicts]
    costs = [(False, [scenario, param, *cells]) for scenario, param, cells in rows(results)]
    spread = [(False, [f"{r.scenario}, {r.side}", str(r.param),
                       *(f"{value:.1f}" for value in (r.least, r.median, r.most, r.cycles_least))]) for r in timed]
    tables = html_table(["Scenario", "Parameter", "C", "kalloc", "uncounted", "upstream", "kalloc/C"], costs)
    if spread:
        tables += html_table(["Nanoseconds", "Parameter", "least", "median", "most", "cycles"], spread)
    return HTML.format(about=escape(of), bounds=html_table(["Bound", "Limit", "Measured", "Kept"], bounds),
                       charts="\n".join(picture for _, picture in charts(results)), costs=tables)


def html_table(header: list[str], body: list[tuple[bool, list[str]]]) -> str:
    """Returns a table in which broken bounds are highlighted."""
    head = "".join(f"<th>{escape(cell)}</th>" for cell in header)
    lines = ("<tr{}>{}</tr>".format(' class="broken"' if bad else "", "".join(f"<td>{escape(cell)}</td>" for cell in cells))
             for bad, cells in body)
    return "<table><tr>" + head + "</tr>\n" + "\n".join(lines) + "</table>\n"
