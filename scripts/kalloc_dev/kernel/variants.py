# SPDX-License-Identifier: GPL-2.0-only
"""The kernels of `make test-matrix`, each with its purpose and a proof of its properties."""

from dataclasses import dataclass, field

from kalloc_dev.kernel.build import PLANS, Kernel
from kalloc_dev.test.kunit import LEAK, RACE, Machine

CONFIG, PROOF, STRESS = "configured_as_asked", "is_what_it_is_called", "counters_are_exact"
# The number of operations of the module that compares the counters with a tally of its own.
OPERATIONS = 20000
TALLY = r"sed -n 's/.*kalloc_stress: \([0-9]*\) operations by .*: 0 numbers wrong$/\1/p'"
# Some of these kernels are slow, and the machine may run other programs during the hour that they
# take.
TIMEOUT, BOOT_SECONDS = 1800, 300
ASKED = "run/asked"
# The name of the architecture, and the size of a page in KiB.
MACHINE = "uname -m; awk '/^KernelPageSize:/ { print $2; exit }' /proc/self/smaps"
COMPARE = f"""\
zcat /proc/config.gz >/tmp/config
while read -r line; do grep -qxF "$line" /tmp/config || echo "$line"; done </{ASKED}
"""


@dataclass(frozen=True)
class Variant:
    """A kernel of the matrix: its purpose, its machine, and a proof of its properties.

    The proof is the state of the running kernel, not the requested configuration.
    """

    why: str
    proof: str
    shows: list[str]
    cpus: int = 2
    la57: bool = False
    append: str = Machine.append
    # Additional sections, and their expected output.
    more: str = ""
    more_shown: dict[str, list[str]] = field(default_factory=dict)

    def machine(self, kernel: Kernel) -> Machine:
        """Returns the guest's machine, and the sections before the suites."""
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
        "the sanitizers of `make test`, with more time: the poison of pages is checked as well",
        # The log has a line for the option that is enabled.
        "dmesg | grep -c 'CONFIG_PAGE_POISONING is on'; cat /proc/sys/kernel/prove_locking", ["1", "1"],
        append=f"{Machine.append} page_poison=1 init_on_free=1",
    ),
    "kcsan": Variant(
        "data races, in C and in Rust (KCSAN, strict), which KASAN excludes",
        # KCSAN is enabled from here on.
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
        # No file in /sys has the name of the leaked cache.
        cpus=1, append="", more_shown={LEAK: ["0", "again 0", "0"]},
    ),
    "modversions": Variant(
        "checksums of the symbols' types, made of debugging information",
        # A function that exists only in such kernels.
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
