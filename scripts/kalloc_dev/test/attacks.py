# SPDX-License-Identifier: GPL-2.0-only
"""Attacks on the kernel through kalloc: safe modules, programs, and drivers that must not compile.

The modules are in tests/attacks/, and the programs in tests/userspace/attacks/. An attack must end
in time, with an error or with the correct result. The kernel's log must contain only the messages
that the attack allows. As many attacks as possible share a guest. After an attack that ends or
blocks the guest, the next ones get a new guest.
"""

import io
import json
import re
import tempfile
import textwrap
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from kalloc_dev.core.paths import BUILD
from kalloc_dev.guest import kvm
from kalloc_dev.guest.qemu import Guest, boot
from kalloc_dev.kernel.build import Kernel
from kalloc_dev.modules import kbuild
from kalloc_dev.modules.user_programs import compiled
from kalloc_dev.test import dmesg, misuse
from kalloc_dev.test.result import Case
from rust_kbuild.console import Failure

STOCK, DEBUG = "stock", "debug"
BOTH = (STOCK, DEBUG)
# The titles of the tables in Documentation/explanation/attacks.rst.
AREAS = {
    "files": "Files: records, commands, names, removal",
    "pages": "Pages, areas, per-CPU memory",
    "slab": "Slab caches",
    "registry": "Sites and what is shown of them",
    "devices": "Devices of the samples",
    "compile": "Drivers that must not compile, or must",
}
# The memory in megabytes, which a module can use up soon. KASAN takes a part of it.
MEMORY = {STOCK: 288, DEBUG: 512}
MARK = "kalloc-attack: "
STUCK, LACKING = 125, 77
# The time limit of a guest beyond those of its attacks, in seconds.
PATIENCE = 60.0

# The messages that every attack allows. A guest with a process that does not end reboots itself.
# The kernel crate uses the unbound queue by its old name only.
ALWAYS = (r"^reboot: Restarting system$", r"^kmemleak: Cannot allocate a scan area, scanning the full object$",
          r"^workqueue: work func \S+ \[kalloc_attacks\] enqueued on deprecated workqueue")
# The messages about a forgotten owner, when the module is unloaded.
FORGOTTEN = (
    r"^kalloc: attack_\w+: removed, its owner was forgotten$",
    r"^kalloc: kalloc: removed, an owner of the directory was forgotten$",
    r"^kalloc: cache attack_\w+: not destroyed, \d+ objects were leaked$",
    r"^kalloc: kalloc_attacks: site attack_\w+ leaks \d+ objects, \d+ bytes; they stay allocated until the next boot$",
)

GUEST = r"""
debug=/sys/kernel/debug/kalloc
# Starts attacks of the module.
try() { modprobe kalloc_attacks; for name; do echo $name >$debug/attacks; done; }
unload() { rmmod kalloc_attacks; }
# Checks a condition; prints it if it does not hold.
holds() { "$@" || { status=$?; echo "does not hold: $*"; test $status = 125 && exit 125; exit 1; }; }
not() { ! "$@"; }
# Fails if a program received an error that user space must not see, or had to be killed.
ended() { attacks "$@" >/tmp/ended || return; cat /tmp/ended; ! grep -q -e SIGKILL -e null -e EIOCBQUEUED /tmp/ended; }
"""
# An interrupted attack must not block the next one.
RUN = r"""
attack() {
    echo "<6>MARK$1" >/dev/kmsg
    echo "@@ $1"
    attacks limit $2 sh -euc "$guest$3" 2>&1
    status=$?
    test $status = 125 || ! test -e $debug/attacks || attacks limit 10 sh -c "echo clear >$debug/attacks" || status=$?
    echo "@= $status"
    # The host reads the output within this time; the guest would wait for the process.
    test $status != 125 || { sleep 2; reboot -f; }
}
""".replace("MARK", MARK)


@dataclass(frozen=True)
class Attack:
    """An attack: its description and its commands."""

    area: str
    name: str
    # The description in Documentation/explanation/attacks.rst.
    what: str
    # The guest's commands, which must succeed. By default the module runs its attack of that name;
    # in the area `compile`, the compiler runs.
    commands: str = ""
    kernels: tuple[str, ...] = BOTH
    seconds: int = 20
    # The messages that the kernel's log may contain.
    allowed: tuple[str, ...] = ()
    # The check of the output, which returns a complaint or an empty string.
    complaint: Callable[[str], str] = lambda printed: ""

    @property
    def script(self) -> str:
        """Returns the guest's commands."""
        return self.commands or f"try {self.name}"


def named_json(printed: str) -> str:
    """Returns a complaint if a line is not JSON, or if an odd name is missing."""
    try:
        sites = {site["name"]: site for site in map(json.loads, printed.splitlines())}
    except ValueError as error:
        return f"not JSON: {error}"
    missing = {"a'b\\c%s%n;|&$(x)`{}[],", "b\\u0041", "....", ",", "f'\\", "attack_odd_file"} - set(sites)
    return f"no sites {missing}" if missing else ""


ATTACKS: tuple[Attack, ...] = (
    Attack("files", "failing_records", "Records fail with errors that C takes for instructions; any user reads and seeks", """
        try failing_records
        for file in /proc/attack_error_*; do
            holds ended killed $file read 0; holds ended killed $file read 1; holds ended killed $file lseek 1
        done"""),
    Attack("files", "failing_commands", "Commands fail with such errors", """
        try failing_commands
        for file in $debug/attack_command_*; do holds attacks refused $file; done"""),
    Attack("files", "endless_records", "Records without end, of nothing and of something, and positions that go back; readers "
           "are killed and interrupted", """
        try endless_records
        for name in empty endless backwards; do
            attacks killed /proc/attack_$name read 0
            attacks killed /proc/attack_$name lseek 1000000000000
            attacks interrupted /proc/attack_$name
        done
        attacks interrupted $debug/attack_empty; attacks interrupted $debug/attack_endless""", seconds=40),
    Attack("files", "huge_records", "Records of 300 KiB, of a gigabyte, and of as many bytes as there are addresses", """
        try huge_records
        holds test $(wc -c </proc/attack_large) = 614402
        for size in huge hugest; do holds not cat /proc/attack_$size; done"""),
    Attack("files", "odd_records", "Records that are no text, and columns as wide as there are addresses", r"""
        try odd_records
        printf '\377\376\0\033[2J\\xff\\xfe\\x00\\x1b[2J\\x20\\x5c\n 18446744073709551615' >/tmp/odd
        holds cmp /tmp/odd /proc/attack_odd
        holds not cat /proc/attack_wide"""),
    Attack("files", "slow_records", "Three processes read pieces of a file of slow records, one of them large", """
        try slow_records
        attacks pieces /proc/attack_slow; attacks pieces $debug/attack_slow"""),
    Attack("files", "proc_names", "Names in /proc that are the kernel's, or no names"),
    Attack("files", "debugfs_names", "Names in debugfs that are taken, or no names"),
    Attack("files", "files_in_atomic_context", "Files created, and sites registered, under the RCU read lock"),
    Attack("files", "forgotten_files", "Owners of files are forgotten, and the module is unloaded", """
        try forgotten_files; holds test $(wc -l </proc/attack_forgotten) = 3
        unload; holds not test -e /proc/attack_forgotten; holds not test -e $debug/attack_forgotten""",
           allowed=FORGOTTEN),
    Attack("files", "files_of_failed_load", "A module leaves files behind and fails to load", """
        holds not modprobe kalloc_attacks fail=1 2>/tmp/said
        holds not test -e /proc/attack_forgotten; holds not test -e $debug/attack_forgotten; modprobe kalloc_attacks""",
           allowed=FORGOTTEN),
    Attack("files", "forgotten_directory", "The directory in debugfs is forgotten, and kalloc is loaded again", """
        try forgotten_directory; unload; rmmod kalloc; modprobe kalloc
        holds test -e $debug/sites; holds test -e $debug/sites.json""", allowed=FORGOTTEN),
    Attack("files", "files_never_dropped", "The memory of a file is freed, and the file never dropped", """
        try files_never_dropped
        for file in /proc/attack_never_dropped $debug/attack_never_dropped; do
            test ! -e $file || holds test "$(uniq $file)" = 'a record'
        done; unload""", allowed=FORGOTTEN),
    *(Attack("files", f"removal_under_stuck_{name}", f"A module is unloaded under a {name} whose memory never comes", f"""
        modprobe -a kalloc_exercise; attacks stuck $debug/exercise {kind} kalloc_exercise goes""", kernels=(STOCK,))
      for name, kind in (("reader", "read"), ("writer", "write"))),
    *(Attack("files", f"removal_under_stuck_{name}", f"The same with {path}, whose removal waits until the reader is killed", f"""
        rmmod kalloc_attacks 2>/dev/null || :; modprobe {module}; attacks stuck {path} read {module} waits""",
             kernels=(STOCK,))
      for name, module, path in (("proc_reader", "kalloc_kv", "/proc/kalloc_kv"),
                                 ("table_reader", "kalloc", "/proc/kallocinfo"))),
    *(Attack("files", f"shared_{mode}_{second}",
             f"A process that shares a file, opened to {opened}, with a long command is killed: in {call}", f"""
        modprobe kalloc_exercise
        attacks shared $debug/exercise {mode} 'all count=100000 size=10000' {second}""")
      for mode, opened, second, call in (("write", "write", "free", "write()"), ("both", "read and write", "free", "write()"),
                                         ("both", "read and write", "read", "read()"),
                                         ("both", "read and write", "lseek", "lseek()"),
                                         ("both", "read and write", "pread", "pread()"))),
    Attack("files", "shared_measurement", "A process that shares a file with a reader of a long measurement is killed", """
        modprobe kalloc_compare; attacks shared $debug/compare read - read""", seconds=40),
    Attack("files", "addresses_for_opener", "Addresses are read through a file that somebody else has opened", """
        modprobe kalloc_compare; attacks opener $debug/layout; rmmod kalloc_compare"""),

    Attack("pages", "oom_killer_despite_noretry", "Arrays of pages with flags that do not retry, when there is no memory",
           seconds=60),
    Attack("pages", "io_despite_noio", "The same with flags that start no I/O", seconds=60),
    Attack("pages", "footprints_of_shrunk_areas", "Areas of huge pages are shrunk to some bytes: what do they take?"),
    Attack("pages", "bytes_mapped_without_guard", "How much is mapped, asked of parts of an area with no hole behind them"),
    Attack("pages", "large_per_cpu_values", "Per-CPU values of 32 KiB, made in place; initializers that fail in the middle"),
    Attack("pages", "drops_with_interrupts_disabled", "16,000 pages are dropped with interrupts disabled"),
    Attack("pages", "forgotten_references", "Owners and references of shared pages are forgotten", """
        try forgotten_references; unload""", allowed=FORGOTTEN),
    Attack("pages", "unique_while_referenced", "Shared pages are taken back for writing while others have references"),

    Attack("slab", "cache_names", "Caches whose names are directories, formats, or the kernel's"),
    Attack("slab", "cache_giants", "Objects of 4 MiB, which the kernel's metadata make larger"),
    Attack("slab", "cache_alignments", "Objects aligned to a page and to more"),
    Attack("slab", "forged_field", "A field with the offset of another one is copied to user space"),
    Attack("slab", "moving_field", "So is a field that is another one every other time"),
    Attack("slab", "field_elsewhere", "So is a field that is in no object"),
    Attack("slab", "locked_key", "An object is freed while a lock in its key is held"),
    Attack("slab", "reuse_under_reader", "Objects and their cache go under a reader that has found them"),
    Attack("slab", "destructors_that_allocate", "Destructors that allocate from, refill and drop their own cache"),
    Attack("slab", "owners_in_hard_interrupts", "Owners of every kind are used and dropped in a hard interrupt",
           kernels=(STOCK,)),
    Attack("slab", "batches_with_interrupts_disabled", "Batches are filled and dropped with interrupts disabled"),
    Attack("slab", "mixed_operations", "Objects, slots and batches made of each other at random, counted at each step"),
    Attack("slab", "last_object_with_its_owner", "Workers drop the last objects while the owner of their cache goes"),
    Attack("slab", "constructors_that_allocate", "Constructors that allocate from their own cache", """
        try constructors_that_allocate; unload"""),

    Attack("registry", "overlapping_registrations", "Sites registered twice, in one call and in two"),
    Attack("registry", "nested_registration", "A site registered from within the registration of another"),
    Attack("registry", "late_registration", "Sites registered while they are used"),
    Attack("registry", "figures_that_do_not_fit", "Totals that no site can have"),
    Attack("registry", "odd_sites", "Names, types and files that are no words, shown as text", """
        try odd_sites >/dev/null; awk '!/^#/ && NF != 18 { print; exit 1 }' $debug/sites
        holds grep -q attack_odd_file /proc/kallocinfo
        cat $debug/sites.json; unload""", complaint=named_json),

    Attack("devices", "group_with_little_memory", "A process of a memory group sets more values than the group may have", """
        cd /sys/fs/cgroup; echo +memory >cgroup.subtree_control; mkdir small; echo 3M >small/memory.max
        modprobe kalloc_kv; sh -c 'echo $$ >small/cgroup.procs; exec attacks charged 400'
        holds grep -q '^oom_kill 0' small/memory.events; rmmod kalloc_kv; rmdir small"""),
    Attack("devices", "frames_without_capability", "Frame numbers are read by root without capabilities", """
        modprobe kalloc_map; attacks frames /dev/kalloc_map; rmmod kalloc_map"""),
    Attack("devices", "mapped_as_code", "What a driver shows is mapped, or made, executable or writable", """
        modprobe kalloc_map; attacks executable /dev/kalloc_map; rmmod kalloc_map"""),

    Attack("compile", "own_unit", "A type that states its own size, which no block of its site has"),
    Attack("compile", "percpu_by_value", "A value for each CPU that is larger than a part of the stack, returned by value"),
    Attack("compile", "rcu_chain", "RCU objects that link to each other, which need no ``unsafe``: this one compiles"),
    Attack("compile", "rcu_value_not_shared", "An RCU value that readers must not share"),
    Attack("compile", "map_unfinished", "A mapping that a driver prepares, and does not return"),

    # The last attacks unload the modules.
    Attack("slab", "leaked_caches", "Objects, slots, batches and caches are forgotten, and the module is unloaded", """
        try leaked_caches; unload; lsmod""", allowed=FORGOTTEN),
    Attack("registry", "caches_at_exit", "A module registers, creates and forgets while it is unloaded", """
        try caches_at_exit; unload; lsmod""", allowed=FORGOTTEN),
    Attack("registry", "unloaded_after_all", "All modules are unloaded after all this, and loaded again", """
        for module in kalloc_attacks kalloc_exercise kalloc_compare kalloc_kv kalloc_map kalloc; do
            ! grep -q "^$module " /proc/modules || rmmod $module
        done
        holds not grep kalloc /proc/modules; modprobe kalloc; holds test $(wc -l </proc/kallocinfo) = 2""",
           allowed=FORGOTTEN),
)


@dataclass(frozen=True)
class Outcome:
    """The result of an attack on a kernel. `why` is empty if the attack was refused."""

    attack: Attack
    kernel: str
    why: str = ""
    lacking: bool = False


def attacks(kernels: Sequence[Kernel]) -> Iterator[Case]:
    """Runs all attacks on the kernels; prints the numbers of all and of the successful ones."""
    through: set[str] = set()
    tried: set[str] = set()
    for kernel in kernels:
        for outcome in on(kernel):
            name = f"attack {outcome.attack.name} on {kernel.name}"
            if outcome.lacking:
                yield Case(name, "skipped", "    the kernel lacks what it needs\n")
                continue
            tried.add(outcome.attack.name)
            if outcome.why:
                through.add(outcome.attack.name)
            yield Case(name, "failed" if outcome.why else "passed", "".join(f"    {line}\n" for line in outcome.why.splitlines()))
    figures = f"{len(tried)} attacks, {len(tried - through)} refused, {len(through)} got through"
    yield Case("attacks", "failed" if through else "passed", figures=figures)


def on(kernel: Kernel) -> Iterator[Outcome]:
    """Runs all attacks on a kernel."""
    mine = [attack for attack in ATTACKS if kernel.name in attack.kernels]
    if kernel.name == STOCK:
        yield from compiles(kernel, [attack for attack in mine if attack.area == "compile"])
    left = [attack for attack in mine if attack.area != "compile"]
    while left:
        ended = list(in_guest(kernel, left))
        yield from ended
        left = left[len(ended):]


def compiles(kernel: Kernel, cases: Sequence[Attack]) -> Iterator[Outcome]:
    """Compiles the drivers of the attacks."""
    tree = kbuild.tree_of(kernel)
    kbuild.build(tree)
    with tempfile.TemporaryDirectory(dir=BUILD) as scratch:
        for attack in cases:
            yield Outcome(attack, kernel.name, misuse.complaint(tree, misuse.CASES / f"{attack.name}.rs", Path(scratch)))


def in_guest(kernel: Kernel, left: Sequence[Attack]) -> Iterator[Outcome]:
    """Runs attacks in one guest while it is usable: at least the first one."""
    calls = "".join(f"attack {attack.name} {attack.seconds} '{quoted(attack.script)}'\n" for attack in left)
    script = f"guest='{quoted(GUEST)}'\n{GUEST}{RUN}{calls}"
    out = io.BytesIO()
    result = boot(Guest(kernel, script, memory=MEMORY[kernel.name], modules=kbuild.image(kernel), kvm=kvm.usable(kernel),
                        append="hardened_usercopy=1", add=[(compiled("attacks"), "usr/bin/attacks")],
                        timeout=sum(attack.seconds for attack in left) + PATIENCE), out)
    log = result.log.read_text(errors="replace")
    if dmesg.START not in log:
        raise Failure("the guest never came up", result.log)
    said = dict(part.partition("\n")[::2] for part in out.getvalue().decode(errors="replace").split("@@ ")[1:])
    logs = dict(part.partition("\n")[::2] for part in log.split(MARK)[1:])
    for attack in left:
        printed, ended, status = said.get(attack.name, "").rpartition("@= ")
        log_of_it = logs.get(attack.name, "")
        complaints = [*dmesg.offending(f"{dmesg.START}\n{log_of_it}", (*attack.allowed, *ALWAYS))]
        if not ended:
            # The attack has ended the guest.
            why = f"the guest ended with status {result.status}\n"
        elif int(status) not in (0, LACKING):
            why = f"status {status}"
        else:
            why = attack.complaint(printed)
        if why or complaints:
            why = "\n".join([*printed.splitlines()[-12:], *complaints[:12], why, f"log: {result.log}"])
        yield Outcome(attack, kernel.name, why, lacking=bool(ended) and int(status) == LACKING)
        if not ended or int(status) == STUCK:
            return


ROW = re.compile(r"^   \* - ``(\w+)``\n     - (.*\n(?:       .*\n)*)", re.M)


def unlisted(page: str) -> Iterator[str]:
    """Returns the differences between these attacks and Documentation/explanation/attacks.rst."""
    listed = {name: " ".join(what.split()) for name, what in ROW.findall(page)}
    known = {attack.name: attack.what for attack in ATTACKS}
    yield from (f"{name} is no attack" for name in listed if name not in known)
    yield from (f"{name} is not listed" if name not in listed else f"{name} is listed as '{listed[name]}', not '{what}'"
                for name, what in known.items() if listed.get(name) != what)


def listing() -> str:
    """Returns the tables of attacks, by area, for that page."""
    text = ""
    for area, title in AREAS.items():
        rows = "".join(f"   * - ``{attack.name}``\n     - {textwrap.fill(attack.what, 90, subsequent_indent=' ' * 7)}\n"
                       for attack in ATTACKS if attack.area == area)
        text += f".. list-table:: {title}\n   :widths: 30 70\n\n{rows}\n" if rows else ""
    return text


def quoted(text: str) -> str:
    """Returns the text in single quotes of the shell."""
    return text.replace("'", r"'\''")
