# SPDX-License-Identifier: GPL-2.0-only
"""The commands on the pages of the documentation, for the test that runs them.

A command is a line of a literal block that starts with a prompt (`$` or `#`) and a program, or with a
program if no line of the block has a prompt.
"""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from textwrap import dedent

PROGRAM = re.compile(
    r'(?:sudo )?(?:make|(?:\.\./kalloc/)?scripts/\S+|kalloctop|modprobe|insmod|rmmod|echo|cat|cd|grep|apt|dkms|dmesg|mokutil|'
    r'mount|unshare|cp|mkdir|sed|depmod|"\$\(rust-kbuild\)"/\S+)\s')
PROMPT = re.compile(r"[$#] ")
FENCED = re.compile(r"^```\w*\n(.*?)^```", re.M | re.S)
LITERAL = re.compile(r"^( *)(?:\.\. code-block:: console|(?!\.\. ).*::)\n(?:\1 +:.*\n)*\n((?:\1 +\S.*\n|\s*\n)+)", re.M)


def pages(tree: Path) -> list[Path]:
    """Returns the pages for users and developers."""
    return [tree / "README.md", tree / "CONTRIBUTING.md", *sorted((tree / "Documentation").rglob("*.rst"))]


def commands(page: Path) -> Iterator[str]:
    """Returns the commands on a page, without their prompts and comments."""
    text = page.read_text()
    for block in FENCED.findall(text) if page.suffix == ".md" else (body for _, body in LITERAL.findall(text)):
        yield from _of_block(dedent(block).splitlines())


def _of_block(lines: list[str]) -> Iterator[str]:
    has_prompts = any(PROMPT.match(line) and PROGRAM.match(line[2:] + " ") for line in lines)
    rest = iter(lines)
    for line in rest:
        if has_prompts:
            if not PROMPT.match(line):
                continue
            line = line[2:]
        if not PROGRAM.match(line + " "):
            continue
        while not _is_whole(line) and (more := next(rest, None)) is not None:
            line += "\n" + more
        yield re.sub(r"\s+# .*$", "", line)


def _is_whole(line: str) -> bool:
    """Returns whether each quotation of a command ends."""
    try:
        shlex.split(line)
    except ValueError:
        return False
    return True
