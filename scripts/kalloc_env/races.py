# SPDX-License-Identifier: GPL-2.0
"""What KCSAN says of data races: in our modules, or in the kernel alone.

By its strictest rules the kernel has races of its own, most of them known and harmless;
which ones a run meets is chance. A report is ours if a module of ours is in either of its stacks.
"""

import re
from collections.abc import Iterator

from . import klog

BAR = "=" * 66
OURS = "[kalloc"
# What a report has in it; the line of another processor may come in between.
PART = re.compile(
    r"^BUG: KCSAN: |^(race at unknown origin, with )?(read|write|assert no \w+|reordered)\b.* by (task|interrupt)|"
    r"^ \S+\+0x[\da-f]+/0x|^value changed: |^Reported by Kernel Concurrency Sanitizer on:|^CPU: \d+ |"
    r"^Tainted: |^Hardware name: |^ (-> )?\(?inlined by\)? |^ +\|$|^ +\+-> reordered to: |^$|^Preempt|^=+$"
)


def split(text: str) -> tuple[str, list[str]]:
    """A log without KCSAN's reports, and these."""
    rest: list[str] = []
    reports: list[str] = []
    report: list[str] | None = None
    for line in text.splitlines():
        found = klog.LINE.match(line)
        message = found[2] if found else line
        if message == BAR:
            if report is None:
                report = [line]
            else:
                report.append(line)
                if any("KCSAN: " in part for part in report):
                    reports.append("\n".join(report))
                else:
                    rest += report
                report = None
        elif report is not None and PART.search(message):
            report.append(line)
        else:
            rest.append(line)
    # What has no end was cut off.
    return "\n".join([*rest, *(report or ())]), reports


def offending(text: str, allowed: tuple[str, ...] = ()) -> Iterator[str]:
    """What :func:`klog.offending` finds, without reports of races that are not ours."""
    rest, reports = split(text)
    yield from klog.offending(rest, allowed)
    for report in reports:
        if OURS in report:
            yield from report.splitlines()
