# SPDX-License-Identifier: GPL-2.0-only
"""On small and large machines, compare and layout can be parsed, agree with other files, and leave
nothing behind.

With --every, two more machines.
"""

import re
from dataclasses import dataclass

import pytest

from kalloc_dev.test.session import Session, in_guest

pytestmark = pytest.mark.long

GUEST = r"""
dir=/sys/kernel/debug/kalloc
section() { echo "@@ $1"; }
try() { out=$("$@" 2>&1); echo "$? $out"; }
available() { { read -r _; read -r _; read -r _ kib _; } </proc/meminfo; echo $kib; }
now() { cut -d' ' -f1 /proc/uptime; }

echo 'nobody:x:65534:65534::/:/bin/sh' >>/etc/passwd
section load; try modprobe kalloc_compare
section modes; stat -c '%a %u %g' $dir/compare $dir/layout /sys/kernel/debug
section nobody; for f in compare layout; do try su -s /bin/sh nobody -c "cat $dir/$f"; done
section layout; cat $dir/layout
section compare; start=$(now); cat $dir/compare $dir/compare
section seconds; echo $start $(now)
section live; awk '/^compare_/ { print $2, $3 }' /proc/kallocinfo
more
# A worker destroys the caches a little later.
section slabinfo; sleep 0.5; cut -d' ' -f1 /proc/slabinfo
section la57; grep -c la57 /proc/cpuinfo
for f in meminfo buddyinfo iomem vmallocinfo modules; do section $f; cat /proc/$f; done
section text; grep -m 1 ' _text$' /proc/kallsyms
section unload; try rmmod kalloc_compare kalloc
section traces; ls -d $dir /sys/module/kalloc* /sys/kernel/slab/compare_* 2>/dev/null
[ -e /sys/kernel/debug/kmemleak ] || exit 0
section kmemleak; sleep 6
for i in 1 2; do echo scan >/sys/kernel/debug/kmemleak; done
cat /sys/kernel/debug/kmemleak
"""
# Checks that need only one machine. The counters of the first site show that a read has begun,
# those of the last one that it has completed. One of several readers is killed in between, if the
# read takes long enough.
MORE = r"""more() {
counts() { awk '/^compare_(vmalloc|pages) / { print $5 }' $dir/sites; }
section memory; sleep 1; available
while :; do available; done >/run/samples &
cat $dir/compare >/run/compare; kill $!
sort -n /run/samples | head -n 1
sleep 0.5; available
section anew; cat /run/compare
# Little memory is free: too little for the largest blocks, and all zones except one may be full.
mkdir /run/full; mount -t tmpfs -o size=100% full /run/full
dd if=/dev/zero of=/run/full/file bs=1M count=$(($(available) / 1024 - 20)) 2>/dev/null
section full; cat $dir/compare; umount /run/full
section killed
for reader in 1 2 3 4 5; do
    sleep 1; before=$(counts)
    cat $dir/compare >/run/killed & while [ "$(counts)" = "$before" ]; do :; done; kill -9 $!; wait $!
    set -- $before $(counts); [ $2 = $4 ] && break
done
echo $*; awk '/^compare_/ { print $2, $3 }' /proc/kallocinfo | uniq
}
"""

APIS = ["vmalloc", "kmalloc", "kmem_cache", "__get_free_pages", "alloc_pages"]
EVERY = ["smallest", "largest", "unit", "contiguous", "alignment", "aligned_to_size", "zones", "region", "zeroed_asked",
         "zeroed_unasked", "may_sleep", "preempt_off_sleeping", "preempt_off", "cost_ns"]
OWN = {
    "machine": "memory page_size paging_levels clock_tick_ns",
    "vmalloc": "limit area_size gap_below hardirq cost_vs_kmalloc",
    "kmalloc": "cost_ns_64B classes slab_up_to krealloc_keeps KMALLOC_MIN_SIZE KMALLOC_MAX_CACHE_SIZE KMALLOC_MAX_SIZE",
    "kmem_cache": "cost_ns_64B free_gives_back",
    "__get_free_pages": "largest_pages highmem",
    "alloc_pages": "largest_pages highmem max_order",
}
# Constants, which need no measurement.
STATED = {("machine", "page_size"), ("vmalloc", "hardirq"), ("alloc_pages", "max_order")}
STATED |= {("kmalloc", f"KMALLOC_{name}") for name in ("MIN_SIZE", "MAX_CACHE_SIZE", "MAX_SIZE")}
STATED |= {(api, name) for api in APIS for name in ("may_sleep", "preempt_off_sleeping")}
# Rows that need so much memory that they may be unknown if little is free.
LARGE = {"largest", "largest_pages", "unit", "contiguous", "classes", "slab_up_to", "free_gives_back"}
PAGE = 4096
UNITS = ["B", "KiB", "MiB", "GiB", "TiB", "PiB", "EiB"]

Fact = tuple[str, str, str]
Facts = dict[tuple[str, str], Fact]
Areas = dict[str, tuple[int, int]]


@dataclass
class Machine:
    """A machine to boot."""

    kernel: str
    cpus: int
    memory: int
    la57: bool = False

    @property
    def plain(self) -> bool:
        """Returns whether blocks have no metadata around them."""
        return self.kernel == "stock"


SMALL = Machine("stock", 1, 512)
MACHINES = (SMALL, Machine("stock", 8, 8192, la57=True))
MORE_MACHINES = (Machine("stock", 2, 1024), Machine("debug", 2, 1024))


def size_of(word: str) -> float:
    """Returns the bytes that a word stands for."""
    match = re.fullmatch(r"(?:>=)?~?(\d+(?:\.\d)?)([KMGTPE]i)?B", word)
    assert match, f"not a size: {word}"
    return float(match[1]) * 1024.0 ** UNITS.index(f"{match[2] or ''}B")


def word_of(size: int) -> str:
    """Returns the word for a number of bytes."""
    exact = 0
    while size and size % 1024 == 0:
        size, exact = size // 1024, exact + 1
    if size < 100_000:
        return f"{size}{UNITS[exact]}"
    power = (size.bit_length() - 1) // 10
    return f"~{(size * 20 // 1024 ** power + 1) // 2 / 10:.1f}{UNITS[exact + power]}"


def verdict(measured: str, claim: str) -> str:
    """Returns the required prefix of the verdict."""
    if claim == "-" or measured == "unknown":
        return "-"
    if measured.startswith(">="):
        return "outdated" if size_of(measured) > size_of(claim) else "-"
    if claim == "aligned":
        holds = measured.endswith("-aligned") and size_of(measured.removesuffix("-aligned")) > 1
    elif claim == ">1":
        holds = float(measured) > 1
    elif re.match("Normal", claim):
        holds = set(measured.split(",")) <= set(claim.split(","))
    else:
        holds = measured == claim or (measured, claim) == ("forbidden", "no")
    return "holds" if holds else "outdated"


def parse(text: str) -> Facts:
    """Parses the table, and checks each line by itself."""
    header, *lines = text.splitlines()
    assert header == "# space api property measured claim verdict", header
    facts: Facts = {}
    for line in lines:
        space, api, name, measured, claim, said = line.split(None, 5)
        assert measured.startswith("stated:") == ((api, name) in STATED), f"not as stated: {line}"
        measured = measured.removeprefix("stated:")
        assert space == "kernel" and (api, name) not in facts, line
        assert re.fullmatch(r"holds|-|outdated: \S.*\S", said), line
        assert said.split(":")[0] == verdict(measured, claim), line
        facts[api, name] = (measured, claim, said)
    wanted = {(api, name) for api in APIS for name in EVERY}
    wanted |= {(api, name) for api, names in OWN.items() for name in names.split()}
    assert set(facts) == wanted, set(facts) ^ wanted
    assert [api for api, name in facts if name == "smallest"] == APIS
    return facts


def areas_of(text: str, levels: int) -> Areas:
    """Parses the address space, and checks that it has no gaps."""
    first, second, *lines = text.splitlines()
    assert (first, second) == (f"# {levels}-level page tables", "# start end size name"), (first, second)
    areas: Areas = {}
    expected = 0
    for line in lines:
        start, last, size, name = line.split()
        area = int(start, 16), int(last, 16)
        assert len(start) == len(last) == 16 and area[0] == expected <= area[1], line
        assert size == word_of(area[1] - area[0] + 1), f"{line}: {word_of(area[1] - area[0] + 1)}"
        expected = area[1] + 1
        if name != "hole":
            assert name not in areas, name
            areas[name] = area
    assert expected == 1 << 64
    return areas


def check_table(machine: Machine, facts: Facts, shown: dict[str, str], areas: Areas) -> None:
    """Compares facts with the kernel's own files."""
    def measured(api: str, name: str) -> str:
        return facts[api, name][0]

    meminfo = {line.split(":")[0]: int(line.split()[1]) for line in shown["meminfo"].splitlines()}
    orders = shown["buddyinfo"].splitlines()[0].split("zone")[1].split()[1:]
    zones = {line.split("zone")[1].split()[0] for line in shown["buddyinfo"].splitlines()}
    largest = PAGE << len(orders) - 1
    size, last = areas["vmalloc"][1] - areas["vmalloc"][0] + 1, areas["direct_map"][1]

    assert measured("machine", "memory") == measured("vmalloc", "limit") == word_of(meminfo["MemTotal"] * 1024)
    assert measured("machine", "page_size") == measured("vmalloc", "smallest") == "4KiB"
    # The kernel includes the last byte of the area.
    assert size == (meminfo["VmallocTotal"] + 1) * 1024 and measured("vmalloc", "area_size") == word_of(size)
    assert measured("vmalloc", "gap_below") == word_of(areas["vmalloc"][0] - last - 1)
    # A power of two that depends on the machine's memory only.
    tried = min(32 << 20, 1 << (meminfo["MemTotal"] * 1024 // 16).bit_length() - 1)
    assert measured("vmalloc", "largest") == f">={word_of(tried)}", f"another largest: {measured('vmalloc', 'largest')}"
    assert measured("vmalloc", "contiguous") == "no"

    classes = [size_of(word) for word in measured("kmalloc", "classes").split(",")]
    slabs = re.findall(r"^kmalloc-(\d+)(k?)$", shown["slabinfo"], re.M)
    assert sorted(int(n) * (1024 if k else 1) for n, k in slabs) == \
        [size for size in classes if size <= size_of(measured("kmalloc", "slab_up_to"))], (classes, slabs)
    assert classes[-1] == largest and size_of(measured("kmalloc", "smallest")) == classes[0]
    assert measured("kmalloc", "slab_up_to") == measured("kmalloc", "KMALLOC_MAX_CACHE_SIZE")
    assert measured("kmalloc", "unit") == "2^n,96B,192B" and measured("kmalloc", "krealloc_keeps") == "yes"

    for api in APIS:
        # All zones of the machine, wherever the blocks were.
        possible = set(measured(api, "zones").split(","))
        assert possible == zones and "HighMem" not in zones, f"other zones: {(api, possible, zones)}"
        assert measured(api, "zeroed_asked") == measured(api, "may_sleep") == measured(api, "preempt_off") == "yes"
        # The distribution's kernel zeroes all memory, the debug kernel does not.
        assert measured(api, "zeroed_unasked") == ("yes" if machine.plain else "no"), api
        assert int(measured(api, "cost_ns")) > 0
        if api != "vmalloc":
            assert measured(api, "contiguous") == "yes" and measured(api, "region") == "direct_map", api
            assert measured(api, "aligned_to_size") == "yes" or (api == "kmem_cache" and not machine.plain), api
        if api.endswith("pages"):
            assert measured(api, "largest") == word_of(largest) and measured(api, "highmem") == "no"
            assert measured(api, "largest_pages") == str(largest // PAGE) and measured(api, "unit") == "page"
    assert measured("alloc_pages", "max_order") == str(len(orders) - 1)
    if machine.plain:
        assert measured("kmem_cache", "smallest") == "8B" and measured("kmem_cache", "largest") == word_of(largest)
        assert measured("kmem_cache", "free_gives_back") == "no"


def check_layout(machine: Machine, shown: dict[str, str], areas: Areas) -> None:
    """Compares the address space with the locations of known objects."""
    def within(name: str, start: int, end: int) -> bool:
        return areas[name][0] <= start < end <= areas[name][1] + 1

    user, hole = areas["user"], areas["guard_hole"]
    bits = 56 if machine.la57 else 47
    assert user == (0, (1 << bits) - PAGE - 1) and hole[0] == (1 << 64) - (1 << bits), (user, hole)
    names = ["direct_map", "vmalloc", "vmemmap", "cpu_entry", "kernel_text", "modules", "fixmap"]
    assert sorted(names, key=lambda name: areas[name]) == names
    assert ("kasan_shadow" in areas) == (not machine.plain)

    # The direct map ends at the end of memory.
    ram = [int(end, 16) + 1 for end in re.findall(r"-([0-9a-f]+) : System RAM$", shown["iomem"], re.M)]
    assert areas["direct_map"][1] - areas["direct_map"][0] + 1 == max(ram), (areas, ram)
    mapped = [(int(start, 16), int(end, 16))
              for start, end in re.findall(r"^0x([0-9a-f]+)-0x([0-9a-f]+) ", shown["vmallocinfo"], re.M)]
    assert len(mapped) > 20
    assert all(within("vmalloc", *range_) or within("modules", *range_) for range_ in mapped)
    assert sum(within("vmalloc", *range_) for range_ in mapped) > 10
    text = int(shown["text"].split()[0], 16)
    assert within("kernel_text", text, text + PAGE), shown["text"]
    modules = [int(line.split()[5], 16) for line in shown["modules"].splitlines()]
    assert modules and all(within("modules", address, address + 1) for address in modules)


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Returns each machine in turn; one is enough for the tests with more sections."""
    if "machine" in metafunc.fixturenames:
        every = (*MACHINES, *(MORE_MACHINES if metafunc.config.getoption("--every") else ()))
        metafunc.parametrize("machine", (SMALL,) if "more" in metafunc.fixturenames else every, scope="module",
                             ids=lambda machine: f"{machine.kernel}-{machine.cpus}-cpus-{machine.memory}-MiB")


@pytest.fixture(scope="module")
def session(machine: Machine) -> Session:
    """Returns the machine's guest."""
    return in_guest((MORE if machine is SMALL else "more() { :; }\n") + GUEST, "--kernel", machine.kernel, "--cpus",
                    str(machine.cpus), "--memory", str(machine.memory), "--append", "no_hash_pointers", "--timeout", "900",
                    *(["--la57"] if machine.la57 else []))


@pytest.fixture(scope="module")
def areas(machine: Machine, shown: dict[str, str]) -> Areas:
    """Returns the address space."""
    return areas_of(shown["layout"], 5 if machine.la57 else 4)


def test_load_and_unload(shown: dict[str, str]) -> None:
    """The module loads and is unloaded."""
    assert shown["load"] == shown["unload"] == "0 \n", (shown["load"], shown["unload"])


def test_files_are_private(shown: dict[str, str]) -> None:
    """Only root can read the files."""
    assert shown["modes"] == "400 0 0\n400 0 0\n700 0 0\n", shown["modes"]
    assert re.fullmatch("(1 .*Permission denied\n){2}", shown["nobody"]), shown["nobody"]


def test_table(machine: Machine, shown: dict[str, str], areas: Areas) -> None:
    """The table is complete, and agrees with the other files."""
    assert (shown["la57"] != "0\n") == machine.la57
    facts = parse(shown["compare"][:len(shown["compare"]) // 2])
    assert facts["machine", "paging_levels"][0] == ("5" if machine.la57 else "4")
    check_table(machine, facts, shown, areas)


def test_next_reader_gets_the_same(shown: dict[str, str]) -> None:
    """A second reader gets the same measurements."""
    table, again = shown["compare"][:len(shown["compare"]) // 2], shown["compare"][len(shown["compare"]) // 2:]
    assert table == again


def test_layout(machine: Machine, shown: dict[str, str], areas: Areas) -> None:
    """The areas contain the known objects."""
    check_layout(machine, shown, areas)


def test_time(machine: Machine, shown: dict[str, str]) -> None:
    """Measuring takes seconds."""
    start, end = map(float, shown["seconds"].split())
    assert end - start < (15 if machine.plain else 60), (start, end)


def test_nothing_is_left(shown: dict[str, str]) -> None:
    """No block is live, and no cache or file remains."""
    assert shown["live"] and set(shown["live"].splitlines()) == {"0 0"}, shown["live"]
    assert "compare_" not in shown["slabinfo"] and shown["traces"] == "", shown["traces"]
    assert shown.get("kmemleak", "") == "", shown["kmemleak"]


@pytest.fixture(scope="module")
def more(shown: dict[str, str]) -> dict[str, str]:
    """Returns the sections of SMALL, which has more."""
    return shown


def test_later_reader_measures_anew(more: dict[str, str]) -> None:
    """A later reader gets new measurements."""
    assert more["anew"] not in more["compare"] and parse(more["anew"])


def test_full_memory(more: dict[str, str]) -> None:
    """When memory is full, only the costs differ, and some rows are unknown."""
    anew, full = parse(more["anew"]), parse(more["full"])
    for fact, was in anew.items():
        free = fact[1].startswith(("cost", "clock")) or full[fact][0] == "unknown" and fact[1] in LARGE
        assert free or full[fact] == was, f"memory is full: {fact}: {full[fact]}, not {was}"


def test_memory_comes_back(more: dict[str, str]) -> None:
    """The measurement takes at most an eighth of the free memory, and frees it."""
    before, least, after = map(int, more["memory"].split())
    # At most an eighth of the free memory and a tolerance. All of it is freed, some of it to the
    # CPUs' own lists.
    assert before - least < before / 8 + 16384 and before - after < 8192, more["memory"]


def test_killed_reader(more: dict[str, str]) -> None:
    """Killing a reader ends its measurement."""
    counts, *live = more["killed"].splitlines()
    began, end, went_on, end_after = map(int, counts.split())
    assert 0 < began < went_on and 0 < end == end_after and live == ["0 0"], more["killed"]


def test_kernel_log(session: Session) -> None:
    """The kernel log has no warning."""
    session.check_log()
