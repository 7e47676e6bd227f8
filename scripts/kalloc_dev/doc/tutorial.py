# SPDX-License-Identifier: GPL-2.0
"""A page that is run: its files are made, its commands called, and what they print is compared.

A block with a caption is a file of that name, or goes on with it; a console block has commands, each
after a `$`, with what they print. `…` stands for anything on a line, and alone on a line for any lines.
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


def run(page: Path, folder: Path) -> Iterator[str]:
    """Follows the page in `folder`: makes its files, calls its commands; says what is not as it says."""
    for language, name, text in blocks(page):
        if name:
            with (folder / name).open("a") as file:
                file.write(text)
        elif language == "console":
            yield from session(text, folder)


def file(page: Path, name: str) -> str:
    """The text of a file of the page."""
    return "".join(text for _, of, text in blocks(page) if of == name)


def blocks(page: Path) -> Iterator[tuple[str, str, str]]:
    """The page's blocks: each one's language, the file that it is of, if it is of one, and its text."""
    for language, options, body in BLOCK.findall(page.read_text()):
        text = dedent(body).strip("\n") + "\n"
        caption = CAPTION.search(options)
        yield language, caption[1] if caption else "", ("\n" if caption and caption[2] else "") + text


def session(text: str, cwd: Path) -> Iterator[str]:
    """Calls the commands of a block."""
    for part in re.split(rf"^{re.escape(COMMAND)}", text, flags=re.M)[1:]:
        command, _, wanted = part.partition("\n")
        done = subprocess.run(command, shell=True, cwd=cwd, env=os.environ | {"PWD": str(cwd)},
                              stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                              stderr=subprocess.STDOUT, text=True, check=False)
        if done.returncode or not pattern(wanted).fullmatch(shown(done.stdout)):
            yield f"$ {command}\nshould print\n{wanted}and has printed (status {done.returncode})\n{done.stdout}"


def pattern(wanted: str) -> re.Pattern[str]:
    """What a text with `…` matches."""
    lines = ("(?:.*\n)*" if line == "…" else re.escape(line).replace("…", ".*") + " *\n" for line in wanted.splitlines())
    return re.compile("".join(lines))


def shown(text: str) -> str:
    """What a reader cares for: not what is prepared on the way, nor where a log is."""
    return "".join(line + "\n" for line in text.splitlines() if not NOISE.match(line))
