# SPDX-License-Identifier: GPL-2.0
"""Judges a kernel log: what in it is a warning, or worse, that nobody expected.

A line of a guest's console starts with its level, `<4>`. The kernel's own boot is not
judged; what comes after the guest's first process has said that a command starts is.

By KCSAN's strictest rules the kernel has data races of its own, most of them known and harmless, and which
ones a run meets is chance. So a race counts if a module of ours is in one of its two stacks.
"""

import re
from collections.abc import Iterator
from pathlib import Path

START = "kalloc-vm: start"
END = "kalloc-vm: end"
WARNING = 4

LINE = re.compile(r"^(?:<(\d+)>)?\[ *\d+\.\d+\](?:\[ *[CT]\d+\])? ?(.*)$")

# A splat, at whatever level it is printed.
SPLAT = re.compile(
    r"\bWARNING:|\bBUG:|\bBUG at|^BUG \S+ \(|\bOops\b|\bKASAN\b|\bUBSAN\b|\bKFENCE: |\bkmemleak: \d+ new|"
    r"possible (?:circular|recursive|irq lock|unsafe|deadlock)|inconsistent lock state|suspicious RCU usage|"
    r"\bRIP: |^pc : |\bCall [Tt]race:|general protection fault|[Uu]nable to handle|panicked at|"
    r"^CFI failure at |: detected (?:buffer overflow|field-spanning write)|^usercopy: Kernel memory |"
    r"^list_(?:add|del) (?:corruption|double add)|^\[.* overwritten\]|^pagealloc: memory corruption|"
    r"\bInternal error: |\bKernel panic|blocked for more than|\bsoft lockup|rcu.*detected.*stall|messages dropped"
)

# What is expected, each for its reason.
EXPECTED = [re.compile(pattern) for pattern in (
    # Modules from outside the kernel's tree taint it, and say so once.
    r"^kalloc\w*: loading out-of-tree module taints kernel\.$",
    r"^kalloc\w*: module verification failed: signature and/or required key missing - tainting kernel$",
    # An emulated processor shares the host's: time passes in jumps.
    r"^clocksource: ",
    r"^TSC found unstable after boot, ",
    r"^hrtimer: interrupt took \d+ ns$",
    r"^workqueue: (work func )?\S+ hogged CPU for >\d+us",
    r"^perf: interrupt took too long",
    r"^sched: DL replenish lagged too much$",
    # The kernel crate has the unbound queue by its old name only.
    r"^workqueue: work func \S+( \[kalloc_stress\])? enqueued on deprecated workqueue",
    # A processor that goes hands its softirq work on, but only after its tick has looked.
    r"^NOHZ tick-stop error: local softirq work is pending, handler #40!!!$",
    # An emulated interrupt controller keeps a request when its processor goes.
    r"^APIC: Stale IRR: ",
)]

# What a report of KCSAN's is between, and has in it: a line of another processor's may come in between.
BAR = "=" * 66
REPORT = re.compile(
    r"^BUG: KCSAN: |^(race at unknown origin, with )?(read|write|assert no) ?\S* .*by (task|interrupt)|"
    r"^(read|write)(-write)? \(.*\) to 0x|^ \S+\+0x[\da-f]+/0x|^(value changed| bits changed): |^  (\||\+-> reordered to: )|"
    r"^Reported by Kernel Concurrency Sanitizer on:|^CPU: \d+ |^Tainted: |^Hardware name: |^Preempt|^$"
)
OURS = "[kalloc"


# The body of a stack dump, and of what memory looks like, for tests that expect the line above it. What
# goes wrong has a line above it that they do not expect.
DUMPS = (
    r"^CPU: \d+ |^Tainted: |^Hardware name: |^Call [Tt]race:$|^ </?TASK>$|^ (\? )?\S+\+0x[\da-f]+/0x",
    # What is on the stack and in no function any more, since its module has gone.
    r"^ \? 0x[\da-f]{16}$",
    r"^RIP: 0033:|^Code: |^RSP: 002b:|^R(AX|DX|BP|10|13): [\da-f]{16} ",
    r"^Mem-Info:$|^active_anon:\d|^( \w+:\d+)+$|^Node \d+ |^lowmem_reserve\[\]:|"
    r"^\d+ (total pagecache )?pages|^Memory cgroup min protection ",
    # Pieces of such lines, where another processor said something in the middle of one.
    r"^(DMA\w*|Normal|Movable)( free)?:|^\d+\*\d+kB |^\([A-Z]+\) |^= \d+kB$|^( -?\d+)+$",
)


def after_boot(text: str) -> Iterator[tuple[str, int | None, str]]:
    """The lines that follow the boot's: whole, their level if they have one, their message."""
    lines = text.splitlines()
    starts = (number for number, line in enumerate(lines) if START in line)
    for line in lines[next(starts, -1) + 1:]:
        found = LINE.match(line)
        level = int(found[1]) & 7 if found and found[1] else None
        yield line, level, found[2] if found else line


def races(text: str) -> tuple[str, list[str]]:
    """A log without the reports of races, and these."""
    rest: list[str] = []
    reports: list[str] = []
    # What may be the report that has begun, and is none before it has ended.
    report: list[str] = []
    for line in text.splitlines():
        found = LINE.match(line)
        message = found[2] if found else line
        if message == BAR:
            if any("KCSAN: " in part for part in report):
                reports.append("\n".join([*report, line]))
                report = []
            else:
                rest += report
                report = [line]
        elif report and REPORT.search(message):
            report.append(line)
        else:
            rest.append(line)
    return "\n".join([*rest, *report]), reports


def offending(text: str, allowed: tuple[str, ...] = ()) -> Iterator[str]:
    """The lines that are a warning or worse, or part of a splat, and not expected."""
    expected = [*EXPECTED, *map(re.compile, allowed)]
    text, reports = races(text)
    for report in reports:
        if OURS in report:
            yield from report.splitlines()
    for line, level, message in after_boot(text):
        bad = SPLAT.search(message) or (level is not None and level <= WARNING)
        if bad and not any(pattern.search(message) for pattern in expected):
            yield line


def unended(text: str) -> Iterator[str]:
    """What is wrong with a log that ends before its command does: nobody knows what else the kernel had to say."""
    if START in text and END not in text.rpartition(START)[2]:
        yield f"the log has no line with '{END}'"


def judge(log: Path, allowed: tuple[str, ...] = ()) -> list[str]:
    """The offending lines of a log file."""
    text = log.read_text(errors="replace")
    return [*offending(text, allowed), *unended(text)]
