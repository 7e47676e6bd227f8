# SPDX-License-Identifier: GPL-2.0-only
"""scripts/kalloc dmesg finds the warnings in a kernel log, and passes lines that are expected."""

import subprocess
from pathlib import Path

import pytest

from kalloc_dev.core.paths import TREE
from kalloc_dev.test import dmesg, soak

START, END = "<6>[    1.0] kalloc-vm: start", "<6>[    2.0] kalloc-vm: end"
GOOD = (
    "<6>[    1.5] kalloc: all is well",
    "<5>[    1.5] random: a notice",
    "<14>[    1.5] somebody: informs",
    "<4>[    1.5] TSC found unstable after boot, most likely due to broken BIOS. Use 'tsc=unstable'.",
    "<4>[    1.5] kalloc: loading out-of-tree module taints kernel.",
    "<5>[    1.5] kalloc: module verification failed: signature and/or required key missing - tainting kernel",
    "<6>[    1.5] usercopy: a list_add, none detected; buffer overflow: no, a CFI failure at most",
    "<6>[    1.5] a name: KASANdra, debugging: none, RIPE",
)
BAD = (
    "<4>[    1.5] kalloc: a warning",
    "<3>[    1.5] kalloc: an error",
    "<12>[    1.5] somebody: warns",
    "<4>[    1.5] other: loading out-of-tree module taints kernel.",
    "<6>[    1.5] WARNING: CPU: 0 PID: 1 at mm/slub.c:1 f+0x1/0x2",
    "<6>[    1.5] BUG: KASAN: slab-use-after-free in f+0x1/0x2",
    "<6>[    1.5] BUG kmalloc-64 (Tainted: G  O): Poison overwritten",
    "<6>[    1.5] UBSAN: array-index-out-of-bounds in f.c:1:2",
    "<6>[    1.5] kmemleak: 3 new suspected memory leaks (see /sys/kernel/debug/kmemleak)",
    "<6>[    1.5] WARNING: possible circular locking dependency detected",
    "<6>[    1.5] Oops: general protection fault",
    "<6>[    1.5] RIP: 0010:f+0x1/0x2",
    "<6>[    1.5] Call Trace:",
    "<6>[    1.5] Unable to handle kernel NULL pointer dereference at virtual address 0000000000000008",
    "<6>[    1.5] pc : f+0x1/0x2",
    "<6>[    1.5] Call trace:",
    "<6>[    1.5] rust_kernel: panicked at 'no'",
    "<6>[    1.5] CFI failure at f+0x1/0x2 (target: g+0x0/0x2; expected type: 0x00000001)",
    "<6>[    1.5] strcat: detected buffer overflow: 34 byte write of buffer size 16",
    '<6>[    1.5] memcpy: detected field-spanning write (size 17) of single field "a" at f.c:1 (size 16)',
    "<6>[    1.5] usercopy: Kernel memory exposure attempt detected from SLUB object 'a' (offset 0, size 1)!",
    "<6>[    1.5] list_add double add: new=ffff888000000000, prev=ffff888000000000, next=ffff888000000000.",
    "<6>[    1.5] list_del corruption. prev->next should be ffff888000000000, but was 0000000000000000.",
    "<6>[    1.5] [Poison overwritten] 0x0000000000000001-0x0000000000000001 @offset=1. First byte 0x0 instead of 0x6b",
    "<6>[    1.5] pagealloc: memory corruption",
    "<6>[    1.5] Internal error: Oops - BUG: 00000000f2000800 [#1]  SMP",
    "[    1.5] BUG: a line without a level",
    "<6>[    1.5][  T123] WARNING: with the thread that said it",
)
BAR = "<3>[    1.5] =================================================================="


def judged(directory: Path, *lines: str, allowed: tuple[str, ...] = ()) -> tuple[int, list[str]]:
    """Returns the status for a log of these lines, and the lines that are printed."""
    log = directory / "log"
    log.write_text("\n".join(lines) + "\n")
    done = subprocess.run([TREE / "scripts/kalloc", "dmesg", log, *allowed], stdout=subprocess.PIPE, text=True, check=False)
    return done.returncode, done.stdout.splitlines()


def race(module: str, between: str = "<6>[    1.5] all is well") -> str:
    """Returns a report of a data race with one side in a module; another line is in between."""
    # The third line ends with a space.
    return f"""{BAR}
<3>[    1.5] BUG: KCSAN: data-race in f / g
<3>[    1.5]{" "}
<3>[    1.5] write (marked) to 0xffff888003d1c0e0 of 8 bytes by task 12 on cpu 0:
<3>[    1.5]  f+0x1/0x2
<3>[    1.5]  h+0x1/0x2{module}
{between}
<3>[    1.5] read to 0xffff888003d1c0e0 of 8 bytes by interrupt on cpu 1:
<3>[    1.5]  g+0x1/0x2
<3>[    1.5] value changed: 0x0000000000000001 -> 0x0000000000000002
<3>[    1.5] Reported by Kernel Concurrency Sanitizer on:
<3>[    1.5] CPU: 1 UID: 0 PID: 1 Comm: sh
{BAR}"""


def test_expected_lines(tmp_path: Path) -> None:
    """None of these lines is a warning, nor is one of the boot."""
    for line in GOOD:
        assert judged(tmp_path, "<4>[    0.1] a warning of the boot", START, line, END) == (0, []), line


def test_warnings(tmp_path: Path) -> None:
    """Each of these is printed."""
    for line in BAD:
        status, printed = judged(tmp_path, "<4>[    0.1] a warning of the boot", START, line, END)
        assert status == 1 and line in printed, (line, printed)


def test_race_of_the_kernel(tmp_path: Path) -> None:
    """A data race within the kernel alone is accepted."""
    assert judged(tmp_path, START, race(""), END)[0] == 0


@pytest.mark.parametrize("report", [race(" [kalloc]"), race(" [kalloc_stress]"), race("", "<4>[    1.5] a warning"),
                                    f"{BAR}\n<3>[    1.5] BUG: KASAN: slab-out-of-bounds in f\n{BAR}"],
                         ids=["kalloc", "stress", "warning-between", "another-sanitizer"])
def test_other_reports(tmp_path: Path, report: str) -> None:
    """A data race in one of the project's modules is not accepted, nor is a warning or another
    report between the bars.
    """
    assert judged(tmp_path, START, report, END)[0] == 1


def test_cut_log(tmp_path: Path) -> None:
    """A log without its end is not accepted."""
    assert judged(tmp_path, START, "<6>[    1.5] kalloc: all is well") == (1, ["the log has no line with 'kalloc-vm: end'"])


def test_allowed_lines(tmp_path: Path) -> None:
    """A line that the caller allows is accepted."""
    line = "<4>[    1.5] only this one is allowed"
    assert judged(tmp_path, START, line, END) == (1, [line])
    assert judged(tmp_path, START, line, END, allowed=("^only this one",)) == (0, [])


def exhausted(*lines: str) -> list[str]:
    """Returns the faults in the log of a guest whose memory is exhausted."""
    return list(dmesg.faults("\n".join((START, *lines, END)), soak.SAID, soak.BAD))


def test_exhausted_memory() -> None:
    """Reports of exhausted memory in any pieces are accepted, and so is what the module says of it."""
    assert not exhausted("<4>[    1.5] dd invoked oom-killer: gfp_mask=0x1", "<4>[    1.5] Call Trace:",
                         "<4>[    1.5] 0 12 34", "<4>[    1.5] ,cpuset=/,mems_all", "<4>[    1.5] RIP: 0010:clear_user+0x1/0x2",
                         "<3>[    1.5] Memory cgroup out of memory: Killed process 12 (dd) total-vm:1kB",
                         "<4>[    1.5] dd: page allocation failure: order:0, mode:0x1",
                         "<4>[    1.5] kalloc_exercise: workload all failed: ENOMEM")


@pytest.mark.parametrize("line", [
    *BAD[5:11], "<4>[    1.5] kalloc: a warning", "<3>[    1.5] kalloc_kv: an error",
    "<3>[    1.5] Out of memory: Killed process 12 (cat) total-vm:1kB",
    "<4>[    1.5] sh: page allocation failure: order:2, mode:0x1"])
def test_fault_without_memory(line: str) -> None:
    """Exhausted memory excuses no fault, no other killed process, and no large block."""
    assert exhausted("<4>[    1.5] Call Trace:", line) == [line]


def test_no_file() -> None:
    """A file that does not exist is a usage error."""
    done = subprocess.run([TREE / "scripts/kalloc", "dmesg", "/nonexistent"], stderr=subprocess.PIPE, text=True, check=False)
    assert done.returncode == 2 and "is not a file" in done.stderr
