# SPDX-License-Identifier: GPL-2.0-only
"""The check of a kernel log for unexpected warnings and errors.

A line of a guest's console begins with its level, `<4>`. The check begins after the boot, with the
line in which the guest's first process announces the command.

By KCSAN's strictest rules the kernel has data races of its own, most of them known and harmless,
and a run meets a random selection. A race therefore counts only if a module of kalloc is in one of
its two stacks.
"""

import re
from collections.abc import Callable, Iterator
from pathlib import Path

START = "kalloc-vm: start"
END = "kalloc-vm: end"
WARNING = 4
# The level of a line without one, which is no warning by its level.
NO_LEVEL = 8

LINE = re.compile(r"^(?:<(\d+)>)?\[ *\d+\.\d+\](?:\[ *[CT]\d+\])? ?(.*)$")

# The head of a report of a fault, at any level.
FAULT = (
    r"\bWARNING:|\bBUG:|\bBUG at|^BUG \S+ \(|\bOops\b|\bKASAN\b|\bUBSAN\b|\bKFENCE: |\bkmemleak: \d+ new|"
    r"possible (?:circular|recursive|irq lock|unsafe|deadlock)|inconsistent lock state|suspicious RCU usage|"
    r"general protection fault|[Uu]nable to handle|panicked at|"
    r"^CFI failure at |: detected (?:buffer overflow|field-spanning write)|^usercopy: Kernel memory |"
    r"^list_(?:add|del) (?:corruption|double add)|^\[.* overwritten\]|^pagealloc: memory corruption|"
    r"\bInternal error: |\bKernel panic|blocked for more than|\bsoft lockup|rcu.*detected.*stall|messages dropped"
)
# A report of a fault, or a stack dump.
SPLAT = re.compile(FAULT + r"|\bRIP: |^pc : |\bCall [Tt]race:")

# The expected lines, each with its reason.
EXPECTED = [re.compile(pattern) for pattern in (
    # Modules from outside the kernel's tree taint it, and the kernel logs that once.
    r"^kalloc\w*: loading out-of-tree module taints kernel\.$",
    r"^kalloc\w*: module verification failed: signature and/or required key missing - tainting kernel$",
    # An emulated processor shares the host's, so its time passes in jumps.
    r"^clocksource: ",
    r"^TSC found unstable after boot, ",
    r"^hrtimer: interrupt took \d+ ns$",
    r"^workqueue: (work func )?\S+ hogged CPU for >\d+us",
    r"^perf: interrupt took too long",
    r"^sched: DL replenish lagged too much$",
    # The kernel crate uses the unbound queue by its old name only.
    r"^workqueue: work func \S+( \[kalloc_stress\])? enqueued on deprecated workqueue",
    # A processor that goes offline passes its softirq work on, but only after its tick has checked.
    r"^NOHZ tick-stop error: local softirq work is pending, handler #40!!!$",
    # An emulated interrupt controller keeps a request after its processor has gone offline.
    r"^APIC: Stale IRR: ",
)]

# The lines around and in a report of KCSAN. A line of another processor may interrupt it.
BAR = "=" * 66
REPORT = re.compile(
    r"^BUG: KCSAN: |^(race at unknown origin, with )?(read|write|assert no) ?\S* .*by (task|interrupt)|"
    r"^(read|write)(-write)? \(.*\) to 0x|^ \S+\+0x[\da-f]+/0x|^(value changed| bits changed): |^  (\||\+-> reordered to: )|"
    r"^Reported by Kernel Concurrency Sanitizer on:|^CPU: \d+ |^Tainted: |^Hardware name: |^Preempt|^$"
)
OURS = "[kalloc"


# The body of a stack dump and of a memory report, for tests that expect the line above it. An
# unexpected report has another line above it.
DUMPS = (
    r"^CPU: \d+ |^Tainted: |^Hardware name: |^Call [Tt]race:$|^ </?TASK>$|^ (\? )?\S+\+0x[\da-f]+/0x",
    # An address on the stack whose function has been unloaded with its module.
    r"^ \? 0x[\da-f]{16}$",
    r"^RIP: 0033:|^Code: |^RSP: 002b:|^R(AX|DX|BP|10|13): [\da-f]{16} ",
    r"^Mem-Info:$|^active_anon:\d|^( \w+:\d+)+$|^Node \d+ |^lowmem_reserve\[\]:|"
    r"^\d+ (total pagecache )?pages|^Memory cgroup min protection ",
    # Pieces of such lines, after another processor logged a message in the middle of one.
    r"^(DMA\w*|Normal|Movable)( free)?:|^\d+\*\d+kB |^\([A-Z]+\) |^= \d+kB$|^( -?\d+)+$",
)


def after_boot(text: str) -> Iterator[tuple[str, int | None, str]]:
    """Yields the lines after the boot: the whole line, its level if it has one, and its message."""
    lines = text.splitlines()
    starts = (number for number, line in enumerate(lines) if START in line)
    for line in lines[next(starts, -1) + 1:]:
        found = LINE.match(line)
        level = int(found[1]) & 7 if found and found[1] else None
        yield line, level, found[2] if found else line


def races(text: str) -> tuple[str, list[str]]:
    """Returns the log without the reports of races, and these reports."""
    rest: list[str] = []
    reports: list[str] = []
    # The lines of a possible report, which is confirmed only by its end.
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
    """Names the unexpected lines that are a warning or worse, or a part of a splat."""
    yield from _unexpected(text, allowed, lambda message, level: SPLAT.search(message) or level <= WARNING)


def faults(text: str, allowed: tuple[str, ...] = (), bad: str = "") -> Iterator[str]:
    """Names the lines that begin a report of a fault, match `bad`, or are a module's of kalloc and a warning.

    The kernel prints the report of exhausted memory in pieces, with lines of other processors between them. No list of
    expected lines has all of these pieces.
    """
    wrong = re.compile(f"{FAULT}|{bad}" if bad else FAULT)
    yield from _unexpected(text, allowed, lambda message, level: wrong.search(message) or
                           (level <= WARNING and message.startswith("kalloc")))


def _unexpected(text: str, allowed: tuple[str, ...], bad: Callable[[str, int], object]) -> Iterator[str]:
    expected = [*EXPECTED, *map(re.compile, allowed)]
    text, reports = races(text)
    for report in reports:
        if OURS in report:
            yield from report.splitlines()
    for line, level, message in after_boot(text):
        if bad(message, NO_LEVEL if level is None else level) and not any(pattern.search(message) for pattern in expected):
            yield line


def unended(text: str) -> Iterator[str]:
    """Names the fault of a log that ends before its command, and so may lack later messages."""
    if START in text and END not in text.rpartition(START)[2]:
        yield f"the log has no line with '{END}'"


def judge(log: Path, allowed: tuple[str, ...] = ()) -> list[str]:
    """Returns the offending lines of a log file."""
    text = log.read_text(errors="replace")
    return [*offending(text, allowed), *unended(text)]
