# SPDX-License-Identifier: GPL-2.0
"""What a film of kalloctop --record shows, as far as it is text."""

import re

LINE = re.compile(r'<g id="(l\d+)">(.*?)</g>')
RUN = re.compile(r'<text x="(\d+)"[^>]*>([^<]*)</text>')
PICTURE = re.compile(r'<g transform="translate\(\d+ 0\)">(.*?)</g>')
USE = re.compile(r'<use href="#(l\d+)" y="(\d+)"/>')
# A character's cell.
WIDTH, HEIGHT = 8, 17


def last(svg: str) -> list[str]:
    """The lines of the last picture, as a terminal shows them; none at its end is empty."""
    texts = {}
    for name, runs in LINE.findall(svg):
        text = ""
        for x, run in RUN.findall(runs):
            text = text.ljust(int(x) // WIDTH) + run.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")
        texts[name] = text.rstrip()
    lines = {int(y) // HEIGHT: texts[name] for name, y in USE.findall(PICTURE.findall(svg)[-1])}
    return [lines.get(number, "") for number in range(max(lines) + 1)]
