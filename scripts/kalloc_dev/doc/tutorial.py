# SPDX-License-Identifier: GPL-2.0-only
"""The tutorial as a test: its files are created, its commands run, and their output is compared.

A block with a caption is a file of that name, or continues the file. A console block has commands,
each after a `$`, with their output. `…` matches any text on a line; alone on a line it matches any
number of lines.
"""

import os
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from textwrap import dedent

BLOCK = re.compile(r"^\.\. code-block:: (\w+)\n((?:   :.*\n)*)\n((?:   .*\n|\n)+)", re.M)
CAPTION = re.compile(r"   :caption: (\S+)( \(continued\))?\n")
COMMAND = "$ "
NOISE = re.compile(r"==> | .*: done in \d+ s$| *waiting for another run | *kernel log: |"
                   r"make(\[\d+\])?: (Entering|Leaving) directory ")


def run(page: Path, directory: Path) -> Iterator[str]:
    """Follows the page in an empty directory; returns the differences from its text."""
    for language, name, text in blocks(page):
        if name:
            with (directory / name).open("a") as file:
                file.write(text)
        elif language == "console":
            yield from session(text, directory)


def file(page: Path, name: str) -> str:
    """Returns the text of a file of the page."""
    return "".join(text for _, of, text in blocks(page) if of == name)


def blocks(page: Path) -> Iterator[tuple[str, str, str]]:
    """Returns each block of the page: its language, the name of its file or an empty string, and its text."""
    for language, options, body in BLOCK.findall(page.read_text()):
        text = dedent(body).strip("\n") + "\n"
        caption = CAPTION.search(options)
        yield language, caption[1] if caption else "", ("\n" if caption and caption[2] else "") + text


def session(text: str, cwd: Path) -> Iterator[str]:
    """Runs the commands of a block; returns the differences from its text."""
    for part in re.split(rf"^{re.escape(COMMAND)}", text, flags=re.M)[1:]:
        command, _, wanted = part.partition("\n")
        done = subprocess.run(command, shell=True, cwd=cwd, env=os.environ | {"PWD": str(cwd)},
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True, check=False)
        if done.returncode or not pattern(wanted).fullmatch(shown(done.stdout)):
            yield f"$ {command}\nshould print\n{wanted}and has printed (status {done.returncode})\n{done.stdout}"


def pattern(wanted: str) -> re.Pattern[str]:
    """Returns the pattern for a text with `…`."""
    lines = ("(?:.*\n)*" if line == "…" else re.escape(line).replace("…", ".*") + " *\n" for line in wanted.splitlines())
    return re.compile("".join(lines))


def shown(text: str) -> str:
    """Returns the output without the lines about steps and logs."""
    return "".join(line + "\n" for line in text.splitlines() if not NOISE.match(line))
