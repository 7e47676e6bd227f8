# SPDX-License-Identifier: GPL-2.0
"""The tests on a kernel that has KUnit: the suites, and what modules do there, in one guest."""

import io
import json
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from kalloc_dev.core.paths import LOGS, TREE
from kalloc_dev.guest import kvm
from kalloc_dev.guest.qemu import Guest, boot
from kalloc_dev.kernel.build import Kernel, series
from kalloc_dev.modules import kbuild
from kalloc_dev.test import dmesg, fuzz
from kalloc_dev.test.fault_injection import generate, verdict
from kalloc_dev.test.result import Case
from rust_kbuild.console import Failure, say

GUEST = TREE / "tests" / "kunit" / "guest.sh"
SUITES, EXAMPLES, LEAK = "suites", "examples", "a_leak_is_said"
FOLDER = "anothers_folder_may_go"
FORGOTTEN = "a_forgotten_directory_goes"
FIRST = f"section {SUITES}\n"
RACE = "a_race_is_said"
FILTER = "/sys/module/kunit/parameters/filter_glob"
# What is loaded where a section alone is wanted: the suite of the fewest cases.
LEAST = "kalloc_site"
# What the guest has in its log where a section begins.
MARK = "kalloc-test: "
STATUS = {"PASS": "passed", "SKIP": "skipped"}


@dataclass(frozen=True)
class Machine:
    """What the kernel runs on, and what else is run there."""

    cpus: int = 2
    la57: bool = False
    # SLUB's checks, in caches that are ours or have our memory: in all of the kernel's they would take a third of
    # the time. Copies to and from user space are checked as well.
    append: str = ("slab_debug=-;FZP,kmalloc-*,kunit_*,exercise_*,driver_*,leak_*,kv_*,map_*,compare_*,stress_*,doc_* "
                   "hardened_usercopy=1")
    timeout: float = 300
    boot_seconds: float = 60
    # Sections that come before the suites, and what each shows.
    sections: str = ""
    shown: Mapping[str, list[str]] = field(default_factory=dict)
    # Files for them.
    add: Sequence[tuple[Path, str]] = ()
    # For how long each allocation of a call or a case is refused, and not only some.
    faults_seconds: int = 0


CHECKED = Machine()
# Without those checks: a free object has the allocator's pointer in it, and CPUs keep free objects in sheaves.
SHEAVES = Machine(append="slab_debug=- hardened_usercopy=1")
# The suites of what differs there.
CACHES = "kalloc_cache*"


# What each section of the guest's shows.
SHOWN = {
    EXAMPLES: ["0"],
    "dropped_memory_is_freed_soon": ["known", "caches known"],
    "copies_are_whole": [*(f"block {size}" for size in ("4*page", "4*page-1", "page+1", "page", "1", "5*page")),
                         *(f"array {place}" for place in ("0", "page-1", "page", "2*page-200", "4*page-1")),
                         "name", "part of a name"],
    "options_reach_the_kernel": ["64", "1", "1", "16"],
    "files_show_records": [
        "444", "400", *(f"{ten} {ten:4}l{'':39}{ten:31} a\\20b\\5c\\0a" for ten in range(0, 100, 10)), "939",
        *(f"pieces {size}" for size in ("1", "7", "page", "5*page")), "debugfs", "x0a", "0", "1", str(2**63 - 2),
        "0 0 ", "gone 1", "gone 1"],
    "readers_end": [*["1 0 Device or resource busy"] * 2, *["1 0 Input/output error"] * 2,
                    "138 0 ", *["143 0 "] * 2, "7 0 ", str((8 << 20) - 1), *["1 0 File too large"] * 2],
    "modules_come_back": ["0"],
    "sites_are_their_modules": ["0", "owner_word 0", "owner_object 0", "owner_mark 0", "owner_conn 0", "0"],
    "sites_say_what_is_so": ["1", '"kalloc_kunit::site::Mark<\'\\\\\\\\\', \'\\"\'>"'],
    "the_readme_driver_works": ["driver_session 1", "driver_table 1"],
    "workloads_are_clean": ["10", "1"],
    "hostile_input_is_noticed": ["1", "some"],
    "modules_leave_nothing": [],
    FOLDER: ["exercise", "sites", "sites.json", "0", "Y", "0"],
    "kmemleak_finds_nothing": ["scanned", "scanned"],
    LEAK: ["0", "again 1", "10", "0"],
    FORGOTTEN: ["leak", "sites", "sites.json", "exercise", "sites", "sites.json", "0"],
}
# What was done, among that.
FIGURE = re.compile(r"^\d+ operations\n", re.M)
# The case that fills the queue which dropped_memory_is_freed_soon sees empty.
DROPPED = "owners_may_go_in_interrupts"
# What the log may have of the suites: what the kernel says of a cache that it has no memory for, with a stack
# dump, and of its files in /sys, without; what the leak detector does then.
SUITES_SAY = (
    *dmesg.DUMPS,
    r"^__kmem_cache_create_args\(kunit_fault_created\) failed with error -(12|22)$",
    r"^kobject: kobject_add_internal failed for kunit_fault_created \(error: -12 parent: slab\)$",
    r"^kobject: can not set name properly!$",
    r"^SLUB: Unable to add cache kunit_fault_created to sysfs$",
    r"^kmemleak: Cannot allocate a scan area, scanning the full object$",
    # How long a case takes on an emulated processor says nothing.
    r"^    # \w+: Test should be marked slow \(runtime: [\d.]+s\)$",
)
# What it has of a second folder of a name.
FOLDER_SAYS = (r"^debugfs: 'kalloc' already exists in '/'$",)
# What it has of a directory whose owner was forgotten.
FORGOTTEN_SAYS = "kalloc: kalloc: removed, an owner of the directory was forgotten"
# What the kernel log has of the leak, and no other log has.
SAID = (
    "kalloc: leak_file: removed, its owner was forgotten",
    "kalloc: cache leak_object: not destroyed, 1 objects were leaked",
    "kalloc: kalloc_leak: site leak_box leaks 1 objects, 100 bytes",
    "kalloc: kalloc_leak: site leak_object leaks 1 objects, 8 bytes",
    "kalloc: kalloc_leak: site leak_block leaks 1 objects, 8192 bytes",
    "kalloc: kalloc_leak: site leak_area leaks 1 objects, 5000 bytes",
    "kalloc: what was published is leaked: it was taken back where nothing may sleep",
)


def kunit(kernel: Kernel, machine: Machine = CHECKED) -> Iterator[Case]:
    """Every case of the suites and of the documentation's examples, by the kernel's own parser; then what
    the sections show, and the log."""
    out = io.BytesIO()
    script, lacking = _for(kbuild.tree_of(kernel))
    script = (f"until=$(($(date +%s) + {machine.faults_seconds})) hostile='{fuzz.SHORT}'\n" +
              script.replace(FIRST, machine.sections + FIRST, 1))
    guest = Guest(kernel, script, cpus=machine.cpus, memory=512, la57=machine.la57, append=machine.append,
                  modules=kbuild.image(kernel), kvm=not machine.la57 and kvm.usable(kernel),
                  add=[(verdict.program(kernel.arch), "usr/bin/kalloc_faults"),
                       (fuzz.program(kernel.arch), "usr/bin/hostile"), *machine.add],
                  timeout=machine.timeout + machine.faults_seconds, boot_seconds=machine.boot_seconds)
    result = boot(guest, out)
    text = result.log.read_text(errors="replace")
    where = f"    log: {result.log}\n"
    if result.status:
        yield Case("kunit", "failed", f"    status {result.status}\n{where}")

    ran: list[Case] = []
    messages = [message for _, _, message in dmesg.after_boot(text)]
    for section in (SUITES, EXAMPLES):
        for case in _suites(kernel, section, messages, where):
            ran.append(case)
            yield case
    shown = dict(part.partition("\n")[::2] for part in out.getvalue().decode(errors="replace").split("@@ ")[1:])
    for name, wanted in {**SHOWN, **machine.shown}.items():
        yield lacking.get(name) or shows(f"kunit guest.{name}", shown.get(name), wanted, where)
    yield from [lacking[verdict.SECTION]] if verdict.SECTION in lacking else verdict.verdict(
        shown.get(verdict.SECTION), where)
    yield from [lacking[verdict.CASES]] if verdict.CASES in lacking else verdict.verdict_of_cases(
        shown.get(verdict.CASES), _refusable(ran), where)
    yield from [lacking[fuzz.SECTION]] if fuzz.SECTION in lacking else fuzz.verdict(
        shown.get(fuzz.SECTION), where)

    if foreign := [report for report in dmesg.races(text)[1] if dmesg.OURS not in report]:
        say(f"    data races in the kernel alone, which do not count: {len(foreign)}")
    before, _, after = text.partition(f"{MARK}{LEAK}")
    yield _verdict("kunit: the kernel log", "\n".join(_offending(before)), where)
    must = [*SAID, *([] if FORGOTTEN in lacking else [FORGOTTEN_SAYS])]
    unsaid = [line for line in must if line not in after]
    others = [line for line in [*dmesg.offending(f"{dmesg.START}\n{after}"), *dmesg.unended(text)]
              if not any(said in line for said in must)]
    yield _verdict("kunit: the log of a leak", "\n".join([*(f"not said: {line}" for line in unsaid), *others]), where)
    if not any(case.name.endswith(f".{DROPPED}") for case in ran):
        yield Case(f"kunit: {DROPPED} ran", "failed", where)


def parts(kernel: Kernel, names: Sequence[str], machine: Machine, whole: bool = False) -> Iterator[Case]:
    """Only the cases that a glob of KUnit's matches (`kalloc_cache.*`), and sections of the guest's (`guest.NAME`), and the log
    of these. Unless all modules are there (`whole`), only those are built that they need.
    """
    text = GUEST.read_text()
    first, *rest = re.split("^(?=section )", text, flags=re.M)
    sections = {part.split()[1]: part for part in rest}
    wanted = [name.removeprefix("guest.") for name in names if name.startswith("guest.")]
    if unknown := set(wanted) - set(sections) & set(SHOWN):
        raise Failure(f"no section {' or '.join(sorted(unknown))} that can be run alone", status=2)
    globs = {f"{SUITES}_{number}": name for number, name in enumerate(
        [name for name in names if not name.startswith("guest.")] or [LEAST], start=1)}
    # The last one stays, for the sections.
    loads = [f"section {name}\nrmmod kalloc_kunit 2>/dev/null\nprintf %s '{glob}' >{FILTER}\n"
             "modprobe kalloc_kunit || exit\n" for name, glob in globs.items()]
    script = "".join([first, *loads, *(sections[name] for name in wanted)])
    out = io.BytesIO()
    image = kbuild.image(kernel, () if whole else {"kalloc", *re.findall(r"\bkalloc_\w+", script)})
    result = boot(Guest(kernel, script, cpus=machine.cpus, memory=512, append=machine.append, modules=image,
                        kvm=kvm.usable(kernel), timeout=machine.timeout), out)
    log = result.log.read_text(errors="replace")
    where = f"    log: {result.log}\n"
    if result.status:
        yield Case("kunit", "failed", f"    status {result.status}\n{where}")
    messages = [message for _, _, message in dmesg.after_boot(log)]
    for section in globs:
        yield from _suites(kernel, section, messages, where)
    shown = dict(part.partition("\n")[::2] for part in out.getvalue().decode(errors="replace").split("@@ ")[1:])
    for name in wanted:
        yield shows(f"kunit guest.{name}", shown[name], SHOWN[name], where) if name in shown else Case(
            f"kunit: section {name} is reached", "failed", where)
    yield _verdict("kunit: the kernel log", "\n".join(_offending(log)), where)


def shows(name: str, got: str | None, wanted: list[str], where: str) -> Case:
    """Whether a section shows what it must, and what it says that it did."""
    wrong = f"the guest shows {got!r}\n" if got is None or FIGURE.sub("", got).splitlines() != wanted else ""
    return _verdict(name, wrong, where, ", ".join(figure.strip() for figure in FIGURE.findall(got or "")))


def _refusable(ran: list[Case]) -> int:
    """How many of the cases that ran are run again and refused memory: not those that refuse it themselves, nor examples that
    show what is so once, nor the parser's verdicts.
    """
    names = [case.name.removeprefix("kunit ") for case in ran if case.name.startswith("kunit ")]
    return len([name for name in names if not name.startswith("kalloc_fault_")]) - len(generate.ONCE)


def _for(tree: kbuild.BuildTree) -> tuple[str, dict[str, Case]]:
    """What the guest of a kernel runs, and by name the sections left out: the kernel lacks what they need."""
    kept, lacking = [], {}
    for part in re.split("^(?=section )", GUEST.read_text(), flags=re.M):
        name, *needs = part.partition("\n")[0].split()[1:] if part.startswith("section ") else [""]
        if missing := [need for need in needs if not _has(tree, need)]:
            lacking[name] = Case(f"kunit guest.{name}", "skipped", f"    the kernel has no {' and no '.join(missing)}\n")
        else:
            kept.append(part)
    return "".join(kept), lacking


def _has(tree: kbuild.BuildTree, need: str) -> bool:
    """Whether a kernel has an option, or is as new as LINUX_7_3, say."""
    least = re.fullmatch(r"LINUX_(\d+)_(\d+)", need)
    if not least:
        return bool(tree.config(need))
    return series(tree.release) >= tuple(map(int, least.groups()))


def _suites(kernel: Kernel, section: str, messages: list[str], where: str) -> Iterator[Case]:
    """What the parser makes of the log of a section with suites."""
    text = "".join(message + "\n" for message in messages)
    text = text.partition(f"{MARK}{section}\n")[2].partition(MARK)[0]
    ktap, parsed = LOGS / f"kunit-{section}.ktap", LOGS / f"kunit-{section}.json"
    ktap.write_text(text)
    parser = kernel.source / "tools/testing/kunit/kunit.py"
    told = subprocess.run([sys.executable, parser, "parse", "--failed", f"--json={parsed}", ktap],
                          capture_output=True, text=True, check=False)
    if not parsed.exists():
        yield Case(f"kunit {section}", "failed", f"{told.stdout}{told.stderr}{where}")
        return
    groups = json.loads(parsed.read_text())["sub_groups"]
    parsed.unlink()
    for group in groups:
        for case in group["test_cases"]:
            outcome = STATUS.get(case["status"], "failed")
            said = re.findall(rf"^ *# {re.escape(case['name'])}: (.*FAILED.*)$", text, re.M)
            why = re.findall(rf"^ *ok \d+ {re.escape(case['name'])} # (SKIP .*)$", text, re.M)
            detail = {"failed": [*said, where.strip()], "skipped": why[:1]}.get(outcome, [])
            yield Case(f"kunit {group['name']}.{case['name']}", outcome, "".join(f"    {line}\n" for line in detail))
    # A suite that dies half-way has no failed case; only the parser's verdict tells.
    yield _verdict(f"kunit: the parser's verdict on the {section}", told.stdout if told.returncode else "", where)


def _offending(log: str) -> Iterator[str]:
    """What each section of the guest's should not have in the log, and what it should have and has not."""
    boot, *sections = log.split(MARK)
    yield from dmesg.offending(boot)
    allowed = {SUITES: SUITES_SAY, FOLDER: FOLDER_SAYS, LEAK: tuple(map(re.escape, SAID)),
               FORGOTTEN: (re.escape(FORGOTTEN_SAYS),), verdict.SECTION: verdict.SAID, verdict.CASES: verdict.SAID,
               fuzz.SECTION: fuzz.SAID}
    for section in sections:
        name = section.splitlines()[0]
        if name != RACE:
            yield from dmesg.offending(f"{dmesg.START}\n{section}", allowed.get(re.sub(r"_\d+$", "", name), ()))
        elif not any("[kalloc_data_race]" in report for report in dmesg.races(section)[1]):
            yield "not said: the race"


def _verdict(name: str, complaint: str, where: str, figures: str = "") -> Case:
    failed = Case(name, "failed", f"{complaint}\n{where}")
    return failed if complaint.strip() else Case(name, "passed", figures=figures)
