# SPDX-License-Identifier: GPL-2.0-only
"""The tests on a kernel with KUnit, in one guest: the suites, and sections with modules."""

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
SUITES, EXAMPLES, LEAK = "suites", "examples", "leak_reported"
NAME_CONFLICT = "debugfs_name_conflict"
FORGOTTEN = "debugfs_forgotten_directory"
FIRST = f"section {SUITES}\n"
RACE = "data_race_reported"
FILTER = "/sys/module/kunit/parameters/filter_glob"
# The suite that is loaded for a single section: the one with the fewest cases.
LEAST = "kalloc_site"
# The mark of a section's start in the guest's log.
MARK = "kalloc-test: "
STATUS = {"PASS": "passed", "SKIP": "skipped"}


@dataclass(frozen=True)
class Machine:
    """The guest of a kernel, and its additional sections."""

    cpus: int = 2
    la57: bool = False
    # SLUB's checks, in the caches of kalloc and in those that hold its memory. In all caches of the
    # kernel they would take a third of the time. Copies to and from user space are checked as well.
    append: str = ("slab_debug=-;FZP,kmalloc-*,kunit_*,exercise_*,driver_*,leak_*,kv_*,map_*,compare_*,stress_*,doc_* "
                   "hardened_usercopy=1")
    # Limits for a guest that hangs. A busy machine takes several times as long as an idle one.
    timeout: float = 900
    boot_seconds: float = 180
    # Sections before the suites, and their expected output.
    sections: str = ""
    shown: Mapping[str, list[str]] = field(default_factory=dict)
    # The files of these sections.
    add: Sequence[tuple[Path, str]] = ()
    # The seconds during which each allocation of a call or a case fails, and not only some.
    faults_seconds: int = 0


CHECKED = Machine()
# Without those checks: a free object contains the allocator's pointer, and CPUs hold free objects
# in sheaves.
SHEAVES = Machine(append="slab_debug=- hardened_usercopy=1")
# The suites whose code paths differ with sheaves.
CACHES = "kalloc_slab*"


# The expected output of each section.
SHOWN = {
    EXAMPLES: ["0"],
    "deferred_free": ["known", "caches known"],
    "uaccess_copies": [*(f"block {size}" for size in ("4*page", "4*page-1", "page+1", "page", "1", "5*page")),
                         *(f"array {place}" for place in ("0", "page-1", "page", "2*page-200", "4*page-1")),
                         "name", "part of a name"],
    "slab_args_in_sysfs": ["64", "1", "1", "16"],
    "seq_file_records": [
        "444", "400", *(f"{ten} {ten:4}l{'':39}{ten:31} a\\20b\\5c\\0a" for ten in range(0, 100, 10)), "939",
        *(f"pieces {size}" for size in ("1", "7", "page", "5*page")), "debugfs", "x0a", "0", "1", str(2**63 - 2),
        "0 0 ", "gone 1", "gone 1"],
    "seq_file_read_ends": [*["1 0 Device or resource busy"] * 2, *["1 0 Input/output error"] * 2,
                    "138 0 ", *["143 0 "] * 2, "7 0 ", str((8 << 20) - 1), *["1 0 File too large"] * 2],
    "module_reload": ["0"],
    "cross_module_sites": ["0", "owner_word 0", "owner_object 0", "owner_mark 0", "owner_conn 0", "0"],
    "debugfs_sites": ["1", '"kalloc_kunit::site::Mark<\'\\\\\\\\\', \'\\"\'>"'],
    "readme_driver": ["driver_session 1", "driver_table 1"],
    "exercise_workloads": ["10", "1"],
    "fuzz_detects_errors": ["1", "some"],
    "module_unload": [],
    NAME_CONFLICT: ["exercise", "sites", "sites.json", "0", "Y", "0"],
    "kmemleak_scan": ["scanned", "scanned"],
    LEAK: ["0", "again 1", "10", "0"],
    FORGOTTEN: ["leak", "sites", "sites.json", "exercise", "sites", "sites.json", "0"],
}
# The lines with figures, among that output.
FIGURE = re.compile(r"^\d+ operations\n", re.M)
# The case that fills the queue, which deferred_free later finds empty.
DROPPED = "drop_in_interrupt"
# The messages that the suites may cause: a cache without memory, with a stack dump; its missing
# files in /sys, without one; and kmemleak's.
SUITES_SAY = (
    *dmesg.DUMPS,
    r"^__kmem_cache_create_args\(kunit_fault_created\) failed with error -(12|22)$",
    r"^kobject: kobject_add_internal failed for kunit_fault_created \(error: -12 parent: slab\)$",
    r"^kobject: can not set name properly!$",
    r"^SLUB: Unable to add cache kunit_fault_created to sysfs$",
    r"^kalloc: kalloc_kunit: the name kunit_site_word is in use by a site of kalloc_kunit; rename one of the sites$",
    r"^kmemleak: Cannot allocate a scan area, scanning the full object$",
    # The duration of a case on an emulated processor has no meaning.
    r"^    # \w+: Test should be marked slow \(runtime: [\d.]+s\)$",
)
# The message about a second directory of the same name.
NAME_CONFLICT_SAYS = (r"^debugfs: 'kalloc' already exists in '/'$",)
# The message about a directory with a forgotten owner.
FORGOTTEN_SAYS = "kalloc: kalloc: removed, an owner of the directory was forgotten"
# The messages about the leak, which no other log contains.
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
    """Runs the suites, the documentation's examples and the sections.

    Yields the cases that the kernel's parser finds, and then the verdicts on the sections and on
    the log.
    """
    out = io.BytesIO()
    script, lacking = _for(kbuild.tree_of(kernel))
    script = (f"until=$(($(date +%s) + {machine.faults_seconds})) fuzz='{fuzz.SHORT}'\n" +
              script.replace(FIRST, machine.sections + FIRST, 1))
    guest = Guest(kernel, script, cpus=machine.cpus, memory=512, la57=machine.la57, append=machine.append,
                  modules=kbuild.image(kernel), kvm=not machine.la57 and kvm.usable(kernel),
                  add=[(verdict.program(kernel.arch), "usr/bin/fail_nth"),
                       (fuzz.program(kernel.arch), "usr/bin/fuzz"), *machine.add],
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
    """Runs cases that a glob of KUnit matches (`kalloc_slab.*`), and sections (`guest.NAME`).

    Yields these cases and the verdict on their log. Unless all modules are built (`whole`), only
    those that they need are.
    """
    text = GUEST.read_text()
    first, *rest = re.split("^(?=section )", text, flags=re.M)
    sections = {part.split()[1]: part for part in rest}
    chosen = {name.removeprefix("guest.") for name in names if name.startswith("guest.")}
    # In the order of the script, because some sections need a module that a later one unloads.
    wanted = [name for name in sections if name in chosen]
    if unknown := chosen - set(sections) & set(SHOWN):
        raise Failure(f"no section {' or '.join(sorted(unknown))} that can be run alone", status=2)
    globs = {f"{SUITES}_{number}": name for number, name in enumerate(
        [name for name in names if not name.startswith("guest.")] or [LEAST], start=1)}
    # The last suite remains loaded for the sections.
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
    """Returns the verdict on a section, whose output must be the expected one, with its figures."""
    wrong = f"the guest shows {got!r}\n" if got is None or FIGURE.sub("", got).splitlines() != wanted else ""
    return _verdict(name, wrong, where, ", ".join(figure.strip() for figure in FIGURE.findall(got or "")))


def _refusable(ran: list[Case]) -> int:
    """Returns the number of cases that also run under fault injection.

    Not among them are the cases that inject faults themselves, the examples that hold only once,
    and the verdicts of the parser.
    """
    names = [case.name.removeprefix("kunit ") for case in ran if case.name.startswith("kunit ")]
    return len([name for name in names if not name.startswith("kalloc_fault_")]) - len(generate.ONCE)


def _for(tree: kbuild.BuildTree) -> tuple[str, dict[str, Case]]:
    """Returns the script for a kernel's guest, and the cases of sections that the kernel skips."""
    kept, lacking = [], {}
    for part in re.split("^(?=section )", GUEST.read_text(), flags=re.M):
        name, *needs = part.partition("\n")[0].split()[1:] if part.startswith("section ") else [""]
        if missing := [need for need in needs if not _has(tree, need)]:
            lacking[name] = Case(f"kunit guest.{name}", "skipped", f"    the kernel has no {' and no '.join(missing)}\n")
        else:
            kept.append(part)
    return "".join(kept), lacking


def _has(tree: kbuild.BuildTree, need: str) -> bool:
    """Returns whether a kernel has an option, or is new enough, for example for LINUX_7_3."""
    least = re.fullmatch(r"LINUX_(\d+)_(\d+)", need)
    if not least:
        return bool(tree.config(need))
    return series(tree.release) >= tuple(map(int, least.groups()))


def _suites(kernel: Kernel, section: str, messages: list[str], where: str) -> Iterator[Case]:
    """Yields the cases that the parser finds in the log of a section with suites."""
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
    # A suite that dies halfway has no failed case; only the parser's verdict shows its end.
    yield _verdict(f"kunit: the parser's verdict on the {section}", told.stdout if told.returncode else "", where)


def _offending(log: str) -> Iterator[str]:
    """Names the unexpected lines and the missing lines in the log of each section."""
    boot, *sections = log.split(MARK)
    yield from dmesg.offending(boot)
    allowed = {SUITES: SUITES_SAY, NAME_CONFLICT: NAME_CONFLICT_SAYS, LEAK: tuple(map(re.escape, SAID)),
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
