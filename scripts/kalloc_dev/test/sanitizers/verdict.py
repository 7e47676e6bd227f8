# SPDX-License-Identifier: GPL-2.0-only
"""The comparison of the log of a guest with the required reports."""

import re
from collections.abc import Iterator

from kalloc_dev.test import dmesg
from kalloc_dev.test.sanitizers.boot import MARK, Boot, Report

# The headlines of reports.
HEADLINE = re.compile(
    r"BUG: |^BUG |\bWARNING: |^UBSAN: |^kernel BUG|^Oops: |^Internal error: |^Unable to handle |^kmemleak: \d|"
    r"^pagealloc: |^usercopy: |panicked at|^list_\w+ |^\[.* overwritten\]|is \d+, not \d+$|^CFI failure at |"
    r": detected (buffer overflow|field-spanning write)|^Kernel panic ")
# The section that dmesg.py detects only by the level: a line of the tally is no splat.
ONLY_BY_LEVEL = ("miscount",)
# A worker destroys a cache without owners, if it runs first.
LATER = re.compile(r"^Workqueue: .*kalloc3sys4work")


def complaints(section: str, report: Report, text: str, perhaps: str) -> Iterator[str]:
    """Names the faults of a section of the log."""
    headlines, below = report
    messages = [message for _, _, message in dmesg.after_boot(f"{dmesg.START}\n{text}")]
    found = [message for message in messages if HEADLINE.search(message) and not re.search(perhaps, message)]
    if len(found) != len(headlines) or not all(map(re.search, headlines, found)):
        yield f"the reports are {found}"
    if below and not any(re.search(below, message) for message in messages):
        yield f"nothing is {below!r}"
    function = "planted_" + section.split(maxsplit=1)[0]
    if headlines and " " in section and not any(function in message or LATER.search(message) for message in messages):
        yield f"{function} has no name"
    if section == "leaks":
        leaks, ours = (sum(bool(re.search(what, message)) for message in messages)
                       for what in (r"kmemleak: unreferenced object ", r"^kmemleak: +planted_leak\+"))
        if leaks != ours:
            yield f"{leaks - ours} leaks are not planted"

    if not headlines:
        if offences := list(dmesg.offending(f"{dmesg.START}\n{text}")):
            yield f"the log check rejects {offences}"
        return
    if not _offends(headlines[0], text):
        yield "the log check accepts the report"
    # A splat must be detected at any level.
    if section not in ONLY_BY_LEVEL and not _offends(headlines[0], re.sub(r"^<\d+>", "<6>", text, flags=re.M)):
        yield "the log check accepts the report at another level"


def _offends(headline: str, text: str) -> bool:
    offences = "\n".join(dmesg.offending(f"{dmesg.START}\n{text}"))
    return any(re.search(headline, message) for _, _, message in dmesg.after_boot(offences))


def judge(guest: Boot, log: str) -> list[str]:
    """Returns the faults of a guest's log."""
    boot, *parts = log.split(MARK)
    parts[-1] = parts[-1].partition(dmesg.END)[0]
    # A part ends with the level of the next part's first line.
    sections = {part.partition("\n")[0]: part.partition("\n")[2].rpartition("\n")[0] for part in parts}
    wanted = guest.sections
    wrong = [f"{name}: not reached" for name in wanted if name not in sections]
    wrong += [f"{name}: not asked for" for name in sections if name not in wanted]
    wrong += [f"{name}: {why}" for name, text in sections.items() if name in wanted
              for why in complaints(name, wanted[name], text, guest.perhaps)]
    wrong += [f"before: {line}" for line in dmesg.offending(boot)]
    return wrong
