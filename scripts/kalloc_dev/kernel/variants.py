# SPDX-License-Identifier: GPL-2.0
"""The kernels that the matrix adds to those of `make test`: what each is for, and how it is known to be that."""

from dataclasses import dataclass, field

from kalloc_dev.kernel.build import PLANS, Kernel
from kalloc_dev.test.kunit import LEAK, RACE, Machine

CONFIG, PROOF, STRESS = "configured_as_asked", "is_what_it_is_called", "counters_are_exact"
# Operations of the module that compares the counters with its own.
OPERATIONS = 20000
TALLY = r"sed -n 's/.*kalloc_stress: \([0-9]*\) operations by .*: 0 numbers wrong$/\1/p'"
# Some of these kernels are slow, and whoever has an hour for them has other things running.
TIMEOUT, BOOT_SECONDS = 1800, 300
ASKED = "run/asked"
# The processor's name of itself, and the size of a page in KiB.
MACHINE = "uname -m; awk '/^KernelPageSize:/ { print $2; exit }' /proc/self/smaps"
COMPARE = f"""\
zcat /proc/config.gz >/tmp/config
while read -r line; do grep -qxF "$line" /tmp/config || echo "$line"; done </{ASKED}
"""


@dataclass(frozen=True)
class Variant:
    """Why a kernel is there, what it runs on, and how its guest tells that it is what it is called: by what
    the kernel that runs says of itself, not by what was asked for.
    """

    why: str
    proof: str
    shows: list[str]
    cpus: int = 2
    la57: bool = False
    append: str = Machine.append
    # Sections of its own, and what they show.
    more: str = ""
    more_shown: dict[str, list[str]] = field(default_factory=dict)

    def machine(self, kernel: Kernel) -> Machine:
        """What its guest is, and runs before the suites."""
        sections = [f"section {PROOF}\n{self.proof}\n",
                    f"section {STRESS}\nmodprobe kalloc_stress workers={2 * self.cpus} ops={OPERATIONS}\necho $?\n"
                    f"done=$(dmesg | {TALLY})\n[ \"$done\" -ge {OPERATIONS} ] && echo enough && echo \"$done operations\"\n"
                    "rmmod kalloc_stress kalloc\n", self.more]
        shown = {PROOF: self.shows, STRESS: ["0", "enough"], **self.more_shown}
        add = []
        if "variant" in PLANS[kernel.name].fragments:
            sections.insert(0, f"section {CONFIG}\n{COMPARE}")
            shown = {CONFIG: [], **shown}
            add = [(kernel.tree.parent / "fragment", ASKED)]
        return Machine(self.cpus, self.la57, self.append, TIMEOUT, BOOT_SECONDS, "".join(sections), shown, add)


VARIANTS = {
    "debug": Variant(
        "what `make test` has, with more time: pages have their poison checked",
        # Which of the two it has done, it says.
        "dmesg | grep -c 'CONFIG_PAGE_POISONING is on'; cat /proc/sys/kernel/prove_locking", ["1", "1"],
        append=f"{Machine.append} page_poison=1 init_on_free=1",
    ),
    "kcsan": Variant(
        "data races, in C and in Rust (KCSAN, strict), which KASAN excludes",
        # From here on it watches.
        "cd /sys/kernel/debug; echo on >kcsan; grep enabled kcsan; cd /", ["enabled: 1"],
        more=f"section {RACE}\nmodprobe kalloc_data_race\necho $?\nrmmod kalloc_data_race\n", more_shown={RACE: ["0"]},
    ),
    "hardened": Variant(
        "CFI, five-level page tables, hardened and partitioned slabs, memory set at allocation and free, KFENCE, "
        "memory cgroups, allocation profiling",
        """\
grep -o -m 1 la57 /proc/cpuinfo
modprobe kalloc_compare; head -n 1 /sys/kernel/debug/kalloc/layout; rmmod kalloc_compare kalloc
dmesg | grep -o 'stack:all(pattern), heap alloc:on, heap free:on'
grep enabled /sys/kernel/debug/kfence/stats
grep -c '^kmalloc-part-15-64 ' /proc/slabinfo
cat /proc/sys/vm/mem_profiling /sys/module/page_alloc/parameters/shuffle
grep -o memory /sys/fs/cgroup/cgroup.controllers
""", ["la57", "# 5-level page tables", "stack:all(pattern), heap alloc:on, heap free:on", "enabled: 1", "1", "1", "Y",
      "memory"],
        la57=True, append="page_alloc.shuffle=1 kfence.sample_interval=5",
    ),
    "rt": Variant(
        "PREEMPT_RT: spinlocks that sleep and interrupts that are threads, with lockdep",
        "cat /proc/sys/kernel/prove_locking; uname -v | grep -o PREEMPT_RT", ["1", "PREEMPT_RT"],
    ),
    "tiny": Variant(
        "one processor, SLUB_TINY, no debugfs",
        "uname -v | grep -c SMP; grep -c ^processor /proc/cpuinfo; grep -c debugfs /proc/filesystems; "
        "ls /sys/kernel/slab 2>&1 | grep -o 'No such'; grep -c cgroup /proc/filesystems", ["0", "1", "0", "No such", "0"],
        # No file in /sys has the leaked cache's name.
        cpus=1, append="", more_shown={LEAK: ["0", "again 0", "0"]},
    ),
    "modversions": Variant(
        "checksums of the symbols' types, made of debugging information",
        # A function that only such kernels have.
        "grep -c ' module_layout$' /proc/kallsyms", ["1"],
    ),
    "arm64": Variant(
        "another architecture: arm64, with what the debug kernel checks",
        f"{MACHINE}; modprobe kalloc_compare; "
        "grep -o 'kasan_shadow\\|pci_io' /sys/kernel/debug/kalloc/layout; rmmod kalloc_compare kalloc",
        ["aarch64", "4", "kasan_shadow", "pci_io"],
    ),
    "debug-7.2": Variant("an older Linux, with what the debug kernel checks", "uname -r | cut -d. -f1,2", ["7.2"]),
    "stock-7.2": Variant("Debian's binary of an older Linux", "uname -r | cut -d. -f1,2", ["7.2"]),
}
