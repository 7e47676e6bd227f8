# SPDX-License-Identifier: GPL-2.0-only
"""The pictures of an SVG that kalloctop --record wrote, as text and as an animation."""

import re

LINE = re.compile(r'<g id="(l\d+)">(.*?)</g>')
RUN = re.compile(r'<text x="(\d+)"[^>]*>([^<]*)</text>')
PICTURE = re.compile(r'<g transform="translate\(\d+ 0\)">(.*?)</g>\n?')
USE = re.compile(r'<use href="#(l\d+)" y="(\d+)"/>')
KEYFRAMES = re.compile(r"@keyframes play\{((?:[\d.]+%\{[^}]*\})+)\}")
KEYFRAME = re.compile(r"([\d.]+)%(\{[^}]*\})")
DURATION = re.compile(r"(animation:play )([\d.]+)s")
AGE = re.compile(r"\bfor (\d+)s$")
# The size of a character's cell.
WIDTH, HEIGHT = 8, 17


def pictures(svg: str) -> list[list[str]]:
    """Returns the lines of each picture, as a terminal shows them, without empty lines at the end."""
    texts = {}
    for name, runs in LINE.findall(svg):
        text = ""
        for x, run in RUN.findall(runs):
            text = text.ljust(int(x) // WIDTH) + run.replace("&lt;", "<").replace("&gt;", ">").replace("&amp;", "&")
        texts[name] = text.rstrip()
    shown = []
    for picture in PICTURE.findall(svg):
        lines = {int(y) // HEIGHT: texts[name] for name, y in USE.findall(picture)}
        shown.append([lines.get(number, "") for number in range(max(lines, default=-1) + 1)])
    return shown


def last(svg: str) -> list[str]:
    """Returns the lines of the last picture."""
    return pictures(svg)[-1]


def starting_at(svg: str, seconds: int) -> str:
    """Returns the film without the pictures of the session's first seconds, which have no rates and no trends."""
    age = [int(found[1]) if (found := AGE.search(lines[0] if lines else "")) else seconds for lines in pictures(svg)]
    first = next(number for number, value in enumerate(age) if value >= seconds)
    keyframes = KEYFRAMES.search(svg)
    assert keyframes, "the film has no animation"
    frames = KEYFRAME.findall(keyframes[1])[first:]
    start = float(frames[0][0])
    kept = "".join(f"{100 * (float(at) - start) / (100 - start):.3f}%{shift}" for at, shift in frames)
    svg = KEYFRAMES.sub(lambda _: f"@keyframes play{{{kept}}}", svg)
    svg = DURATION.sub(lambda found: f"{found[1]}{float(found[2]) * (1 - start / 100):.3f}s", svg)
    return PICTURE.sub("", svg, count=first) if first else svg
