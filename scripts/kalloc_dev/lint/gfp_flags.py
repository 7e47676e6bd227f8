# SPDX-License-Identifier: GPL-2.0-only
"""Lost flags: a function with get-free-page flags as an argument that allocates with others.

It would reclaim, sleep, start I/O, invoke the OOM killer, or escape the memory accounting against
the caller's choice.
"""

import re
from collections.abc import Iterator
from pathlib import Path

# A choice of the way to reclaim. A modifier (`__GFP_ZERO`, `Gfp::NOWARN`) adds to the caller's
# flags.
CHOICE = re.compile(r"(?<![\w:])(?:bindings::)?GFP_(?:KERNEL|KERNEL_ACCOUNT|ATOMIC|NOWAIT|NOIO|NOFS)\b"
                    r"|\bG[Ff][Pp]::(?:KERNEL|KERNEL_ACCOUNT|ATOMIC|NOWAIT|NOIO|NOFS)\b"
                    r"|\bNonblocking::(?:ATOMIC|NOWAIT)\b")
RECEIVES = re.compile(r":\s*(?:impl Into<Gfp>|(?:\w+::)*(?:Gfp|Flags|Nonblocking)\b)|\bgfp_t \w+")
REASON = re.compile(r"// GFP: \w")
RUST_FUNCTION = re.compile(r"\bfn \w+")
# The definition, not the prototype above it.
C_FUNCTION = re.compile(r"^[a-z][^;{}()]*\([^;{}]*\)\n\{", re.M)
# The file that defines the types of the flags.
DEFINES = "gfp.rs"


def blank(text: str) -> str:
    """Returns the text with blanks in place of comments, strings and characters."""
    dull = re.compile(r'//[^\n]*|/\*.*?\*/|"(?:\\.|[^"\\])*"|' + r"'(?:\\.|[^'\\\n])'", re.S)
    return dull.sub(lambda found: re.sub(r"[^\n]", " ", found[0]), text)


def end_of(code: str, brace: int) -> int:
    """Returns the end of the block that begins at a brace."""
    depth = 0
    for found in re.compile(r"[{}]").finditer(code, brace):
        depth += 1 if found[0] == "{" else -1
        if not depth:
            return found.end()
    return len(code)


def functions(path: Path, code: str) -> Iterator[tuple[int, int, int]]:
    """Returns the start of each function, and the start and end of its body."""
    for start in (C_FUNCTION if path.suffix == ".c" else RUST_FUNCTION).finditer(code):
        body = re.compile(r"[{;]").search(code, start.start())
        # Types contain semicolons as well: [u8; 4].
        while body and body[0] == ";" and (code.count("[", start.start(), body.start()) >
                                           code.count("]", start.start(), body.start())):
            body = re.compile(r"[{;]").search(code, body.end())
        if body and body[0] == "{":
            yield start.start(), body.start(), end_of(code, body.start())


def lost(path: Path, text: str, name: str) -> Iterator[str]:
    """Names the flags in a file that are not a caller's."""
    code = blank(text)
    around = list(functions(path, code))
    for choice in CHOICE.finditer(code):
        where = f"{name}:{code.count(chr(10), 0, choice.start()) + 1}"
        # The innermost function around it.
        inside = max(((at, body, end) for at, body, end in around if body < choice.start() < end), default=None)
        if inside is None:
            yield f"{where}: {choice[0]} outside of a function"
        elif RECEIVES.search(code[inside[0]:inside[1]]):
            yield f"{where}: {choice[0]} in a function that is given flags"
        elif name.startswith("rust/") and not REASON.search(text[inside[1]:choice.start()]):
            yield f"{where}: {choice[0]} without a comment \"// GFP:\" that says why there are no flags of a caller"
