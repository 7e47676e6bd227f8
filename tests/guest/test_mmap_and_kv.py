# SPDX-License-Identifier: GPL-2.0-only
"""Measurements of kalloc-table, the life of mapped memory, and the key-value store: on the stock
kernel, or --kernel.

The debug kernel finds more errors, and takes longer.
"""

import re

import pytest

from kalloc_dev.core.prepare import set_up
from kalloc_dev.kernel.build import PLANS
from kalloc_dev.modules.kbuild import tree_of
from kalloc_dev.modules.user_programs import compiled
from kalloc_dev.test.session import Session, in_guest, require_devices
from kalloc_dev.toolchain.arch import X86

KERNEL = "stock"

GUEST = r"""
section() { echo "@@ $1"; }
# Prints the status and the output of a command on one line.
try() { out=$("$@" 2>&1); echo "$? $out"; }
sites() { grep -c '^map_.*' /proc/kallocinfo; awk '/^map_/ { print $1, $2 }' /proc/kallocinfo; }
# Waits until a program in the background has printed something, for at most a minute: it may have failed.
held() { for _ in $(seq 600); do grep -q . /run/said && return; sleep 0.1; done; }

echo 'nobody:x:65534:65534::/:/bin/sh' >>/etc/passwd
section alone; kalloc-table || echo "status $?"
modprobe kalloc_map || exit 10
section device; stat -c '%a %u %g' /dev/kalloc_map; try su -s /bin/sh nobody -c 'cat /dev/kalloc_map'
section table; kalloc-table || echo "status $?"

section mistakes
try su -s /bin/sh nobody -c kalloc-table
try kalloc-table --json
try sh -c 'kalloc-table >/dev/full'
at=/sys/kernel/debug/kalloc; [ -d $at ] || at=/sys/kernel
mount -t tmpfs none $at; mkdir -p /sys/kernel/debug/kalloc
compare=/sys/kernel/debug/kalloc/compare
for text in '' 'space api property measured claim verdict' \
            '# space api property measured claim verdict\nkernel kmalloc smallest 8 64'; do
    printf "$text" >$compare
    try kalloc-table
done
section appended
printf '# space  api property   measured claim  verdict\nkernel x a_very_long_property_of_x 8  64 outdated: it is 8\n' >$compare
kalloc-table || echo "status $?"
umount $at

section blocks
exec 3<>/dev/kalloc_map; cat <&3; sites
section control
for text in 'renew' 'renew\n' 'new' 'renewed' 'renew it all\n'; do try sh -c "printf '$text' >&3"; done
try sh -c ': <>/dev/kalloc_map'
section renewed; cat <&3
section in-use; try rmmod kalloc_map
exec 3<&-

section life; mmap_test; echo "status $?"
section life-after; sites
mkfifo /run/hold
for how in alone child; do
    section "held-$how"
    # The output of the previous run is truncated before the next process holds a mapping.
    mmap_test $how >/run/said </run/hold & exec 7>/run/hold
    held
    cat /run/said; sites; try rmmod kalloc_map
    exec 7>&-
    while grep -q /dev/kalloc_map /proc/[0-9]*/maps 2>/dev/null; do sleep 0.1; done
    wait; cat /run/said; sites
done

section twice; modprobe kalloc_mmap_twice; mmap_test twice
awk '/^twice_/ { print $2 }' /proc/kallocinfo; try rmmod kalloc_mmap_twice
modprobe kalloc_kv || exit 11
kv() { awk '/^kv_/ { print $1, $2 }' /proc/kallocinfo | tr '\n' ' '; echo; }
section kv-device; stat -c '%a %u %g' /dev/kalloc_kv /proc/kalloc_kv; kv
section kv-life; kv_test; echo "status $?"
section kv-after; kv; try rmmod kalloc_kv; modprobe kalloc_kv
section kv-churn; kv_test churn; echo "status $?"
awk '$1 == "kv_place" { print $2, $4 <= 4096 ? "small" : $4 }' /proc/kallocinfo; rmmod kalloc_kv; modprobe kalloc_kv
section kv-list; kv_test list; cat /proc/kalloc_kv; dd if=/proc/kalloc_kv bs=7 2>/dev/null | cmp - /proc/kalloc_kv; kv
section kv-held
kv_test hold >/run/said </run/hold & exec 7>/run/hold
held
kv; try rmmod kalloc_kv
exec 7>&-; wait; cat /run/said; kv
exec 5</dev/kalloc_kv; try rmmod kalloc_kv; exec 5<&-
# Neither a reader of the list nor the keys pin the module.
section kv-unload; exec 6</proc/kalloc_kv; head -c 3 <&6; try rmmod kalloc_kv; try cat <&6; exec 6<&-
# A stored value is charged to the program's cgroup, also after the program has ended.
section kv-charged; modprobe kalloc_kv; group=/sys/fs/cgroup/kv
if grep -q memory /sys/fs/cgroup/cgroup.controllers; then
echo +memory >/sys/fs/cgroup/cgroup.subtree_control; mkdir $group; echo 8M >$group/memory.max
charged() { awk '$1 == "kernel" { print $2 }' $group/memory.stat; }
try sh -c "echo \$\$ >$group/cgroup.procs; exec kv_test fill"; charged
awk '$1 ~ /^oom_kill$/' $group/memory.events; try kv_test fill; rmmod kalloc_kv; charged
else rmmod kalloc_kv; fi
section unload; try rmmod kalloc_map kalloc; ls /dev/kalloc_map /proc/kallocinfo 2>&1 | grep -vc 'No such'; true
"""

TITLES = "# space api property measured claim verdict"
# The required rows for user space: measured and claimed values, if they are the same everywhere.
USER = """
malloc: lies_in=heap/heap unit=16_bytes/byte smallest alignment=16 zeroed=no lies_in_large=anonymous/heap
    frames_before_touch=0 contiguous=not_guaranteed/not_guaranteed largest_in_256MiB
calloc: zeroed=yes/yes
realloc: resizes=yes/yes moves_to_grow=yes moves_to_shrink=no large_keeps_frames=yes
free: small_mapping=heap small_access=ok large_mapping=none large_access=SIGSEGV
alloca: lies_in=stack/stack stack_grows=yes contiguous unit=16_bytes/byte freed_on_return=yes zeroed=no
    too_large=SIGSEGV largest_in_1MiB
mmap: lies_in=anonymous frames_before_touch=0 zeroed=yes maps_memory=ok/ok contiguous unit=page/page length_0=EINVAL
    maps_files=yes/yes shares_frames=yes largest_in_256MiB
munmap: unit=page/page mapping=none access=SIGSEGV neighbours=ok
brk: moves_the_break=yes/yes unit_of_the_break=byte unit_of_the_mapping=page
sbrk: sbrk_0_is_the_break=yes/yes lies_in=heap moves_the_break=yes/yes zeroed_fresh=yes contiguous
    zeroed_within_a_page=no mapping_below_the_break=none access_below_the_break=SIGSEGV largest_in_256MiB
"""
MAPPED = ("bytes contents=same/same frames=same/same writing=refused/refused contiguous="
          "{0}/{0} given_up_by_the_driver=same/same")
# The number of cases of kv_test.
KV_CASES = 87
# The bytes of the longest value.
VALUE_MAX = 64 << 10
# The bytes of all values.
STORE_MAX = 16 << 20
PAGES = {"kmalloc": 2, "cache": 2, "pages": 4, "free_pages": 4, "vmalloc": 13}
# The program exceeds a limit that it has set itself; the kernel logs this once.
SAID = (r"^mmap: kalloc-table \(\d+\): VmData \d+ exceed data ulimit",)


def parse(table: str) -> dict[tuple[str, str, str], tuple[str, str]]:
    """Returns the measured and claimed values by space, API and property; each verdict is checked
    against both.
    """
    header, *lines = table.splitlines()
    assert header.split() == TITLES.split() + [] and header.startswith("# space "), header
    starts = [match.start() for match in re.finditer(r"(?<=\S )\S|(?<=  )\S", header[2:])]
    facts = {}
    for line in lines:
        space, api, name, measured, claim, verdict = line.split(None, 5)
        # Columns are aligned: each token starts below the start of its title.
        assert all(line[start + 1] == " " != line[start + 2] for start in starts), line
        if claim == "-":
            assert verdict == "-", line
        elif claim == measured:
            assert verdict == "holds", line
        else:
            assert re.fullmatch(r"outdated: \S.*", verdict), line
        assert (space, api, name) not in facts, line
        facts[space, api, name] = (measured, claim)
    return facts


def wanted(mapped: bool) -> dict[tuple[str, str, str], list[str]]:
    """Checks the rows of USER and MAPPED."""
    text = re.sub(r"\n +", " ", USER).strip().splitlines()
    lines = [("user", *line.split(": ")) for line in text]
    if mapped:
        lines += [("mapped", family, MAPPED.format("not_guaranteed" if family == "vmalloc" else "yes"))
                  for family in PAGES]
    return {(space, api, name): rest.split("/") if rest else []
            for space, api, facts in lines for name, _, rest in (fact.partition("=") for fact in facts.split())}


def complete(table: str, mapped: bool) -> None:
    """Every fact appears exactly once, with its value."""
    facts = {key: fact for key, fact in parse(table).items() if key[0] != "kernel"}
    expected = wanted(mapped)
    assert facts.keys() == expected.keys(), facts.keys() ^ expected.keys()
    for key, values in expected.items():
        measured, claim = facts[key]
        assert not values or [measured, claim] == [*values, "-"][:2], (key, measured, claim)
    for (_, api, name), (measured, _) in facts.items():
        if limit := re.match(r"largest_in_(\d+)MiB", name):
            # All memory except the program's own.
            assert 0.9 < int(measured) / (int(limit[1]) << 20) < 1, (api, measured)
        if name == "bytes":
            assert int(measured) == PAGES[api] * 4096, (api, measured)
    assert int(facts["user", "malloc", "smallest"][0]) in range(1, 65)


def blocks(text: str, age: int) -> dict[str, list[int]]:
    """Returns the page frames of each block, as listed by the device; each row is checked."""
    header, *lines = text.splitlines()
    assert header.split() == ["#", "family", "offset", "bytes", "first", "page", "pfn"], header
    frames: dict[str, list[int]] = {}
    for line in lines:
        family, offset, size, first, page, pfn = line.split()
        known = frames.setdefault(family, [])
        assert int(page) == len(known) and int(size) == PAGES[family] * 4096, line
        assert int(offset, 16) == list(PAGES).index(family) * 16 * 4096, line
        assert int(first, 16) == int.from_bytes(family[:4].encode()) << 32 | age << 20, line
        known.append(int(pfn, 16))
    assert {family: len(known) for family, known in frames.items()} == PAGES, frames
    everywhere = [pfn for known in frames.values() for pfn in known]
    assert len(set(everywhere)) == len(everywhere), "a page is in two blocks"
    for family, known in frames.items():
        assert family == "vmalloc" or known == list(range(known[0], known[0] + len(known))), (family, known)
    return frames


def live(text: str) -> list[str]:
    """Returns the live blocks of the device's sites."""
    number, *rows = text.splitlines()
    assert number == "5" and [row.split()[0] for row in rows] == [
        f"map_{name}" for name in ("kmalloc", "cache", "pages", "fpages", "vmalloc")], text
    return [row.split()[1] for row in rows]


def check_charged(text: str) -> None:
    """Values are charged up to the limit of the cgroup. Then requests fail, and no process is
    killed. Other programs can still store values up to the limit of the store.
    """
    filled, charged, killed, others, after = text.splitlines()
    assert others == f"0 {STORE_MAX // VALUE_MAX - 1} ENOSPC", text
    ended = re.fullmatch(r"0 (\d+) ENOMEM", filled)
    assert ended and killed == "oom_kill 0", text
    values, most = int(ended[1]) * VALUE_MAX, 8 << 20
    assert 0.8 * most < values < int(charged) <= most, text
    assert int(after) < 0.1 * most, text


@pytest.fixture(scope="module")
def session(kernel_name: str) -> Session:
    """Returns the guest."""
    require_devices(kernel_name)
    added = [f"--add={compiled(name, PLANS[kernel_name].arch)}:/usr/bin/" for name in ("kv_test", "mmap_test")]
    return in_guest(GUEST, "--kernel", kernel_name, "--timeout", "900", *added)


def test_table_without_the_module(shown: dict[str, str]) -> None:
    """The table of user space is complete."""
    complete(shown["alone"], mapped=False)


def test_device_is_private(shown: dict[str, str]) -> None:
    """Only root can open the device."""
    mode, nobody = shown["device"].splitlines()
    assert mode == "600 0 0" and nobody.startswith("1 ") and nobody.endswith("Permission denied"), shown["device"]


def test_table_with_the_module(shown: dict[str, str]) -> None:
    """The table also has the mapped families."""
    complete(shown["table"], mapped=True)


def test_table_mistakes(shown: dict[str, str]) -> None:
    """Each usage error is one line and a status."""
    for line, (status, said) in zip(shown["mistakes"].splitlines(), [
            (1, "run this as root"), (2, "usage: kalloc-table"), (1, "No space left on device"), (1, "is empty"),
            (1, "does not begin with"), (1, "not a fact: kernel")], strict=True):
        assert line.startswith(f"{status} ") and said in line, line


def test_table_appends_the_kernels(shown: dict[str, str]) -> None:
    """The table of the kernel follows that of user space."""
    appended = parse(shown["appended"])
    assert appended["kernel", "x", "a_very_long_property_of_x"] == ("8", "64")
    complete(shown["appended"], mapped=True)


def test_blocks_and_commands(shown: dict[str, str]) -> None:
    """The device lists its blocks, and accepts one command."""
    told, _, counted = shown["blocks"].rpartition("\n5\n")
    before = blocks(told, 0)
    assert live("5\n" + counted) == ["1"] * 5, counted
    assert [line.split()[0] for line in shown["control"].splitlines()] == list("001111"), shown["control"]
    assert shown["control"].endswith(": Device or resource busy\n"), shown["control"]
    assert blocks(shown["renewed"], 2) and before


def test_open_device_keeps_the_module(shown: dict[str, str]) -> None:
    """An open device pins its module."""
    assert shown["in-use"].startswith("1 "), shown["in-use"]


def test_mapped_memory(shown: dict[str, str]) -> None:
    """Every case of mmap_test passes, and leaves no block."""
    *cases, status = shown["life"].splitlines()
    assert status == "status 0" and len(cases) == 107 and all(case.startswith("ok ") for case in cases), cases
    assert live(shown["life-after"]) == ["0"] * 5


@pytest.mark.parametrize("how", ["alone", "child"])
def test_mapping_outlives_the_file(shown: dict[str, str], how: str) -> None:
    """A mapping keeps the blocks of a closed file, and pins the module."""
    lines = shown[f"held-{how}"].splitlines()
    assert len(lines) == 16 and lines[0] == lines[8] == "holding" and lines[9] == "held", lines
    # The file is closed but mapped: its blocks are live.
    assert live("\n".join(lines[1:7])) == ["1"] * 5, lines
    assert lines[7].startswith("1 ") and "unload" in lines[7], lines
    assert live("\n".join(lines[10:])) == ["0"] * 5, lines


def test_second_mapping(shown: dict[str, str], kernel_name: str) -> None:
    """A block can be mapped twice."""
    assert shown["twice"] == f"busy\n1 1 2\nexecutable 0 {PLANS[kernel_name].arch is X86:d}\n1\n1\n0\n0\n0 \n", shown["twice"]


def test_unload(shown: dict[str, str]) -> None:
    """The modules are unloaded, and their files are removed."""
    assert shown["unload"] == "0 \n0\n", shown["unload"]


def rows(node: int, place: int, index: int, value: int) -> str:
    """Returns the live objects of each site of kalloc_kv."""
    return f"kv_node {node} kv_place {place} kv_index {index} kv_value {value} "


EMPTY = rows(0, 0, 0, 0)


def test_kv_device(shown: dict[str, str]) -> None:
    """Only root can open the files of the store, which is empty."""
    assert shown["kv-device"] == f"600 0 0\n400 0 0\n{EMPTY}\n", shown["kv-device"]


def test_kv_cases(shown: dict[str, str]) -> None:
    """Every case of kv_test passes, and leaves nothing in the store."""
    *cases, status = shown["kv-life"].splitlines()
    assert status == "status 0" and len(cases) == KV_CASES and all(case.startswith("ok ") for case in cases), (
        len(cases), cases)
    assert shown["kv-after"] == f"{EMPTY}\n0 \n", shown["kv-after"]


def test_kv_churn(shown: dict[str, str]) -> None:
    """A key that is inserted and deleted repeatedly takes one slot."""
    assert shown["kv-churn"] == "status 0\n1 small\n", shown["kv-churn"]


def test_kv_list(shown: dict[str, str]) -> None:
    """The list of keys escapes them."""
    total, titles, *listed, counted = shown["kv-list"].splitlines()
    assert total == "# 3 keys, set 3 got 0 deleted 0 opened 0" and titles == "# length key", total
    assert listed == ["4097 alpha", r"0 two\x20words\x5c", r"1 \x1b[31m\xff\x0a"], listed
    assert counted == rows(3, 1, 1, 3), counted


def test_kv_replaced_value_stays_mapped(shown: dict[str, str]) -> None:
    """A replaced value stays as long as it is mapped."""
    held, refused, *said, after, opened = shown["kv-held"].splitlines()
    assert held == rows(4, 1, 1, 5) and after == rows(4, 1, 1, 4) and said == ["holding", "held"], shown["kv-held"]
    assert refused[0] == opened[0] == "1", (refused, opened)


def test_kv_charges_the_group(shown: dict[str, str], kernel_name: str) -> None:
    """Values are charged to the cgroup of the program that stores them."""
    if not shown["kv-charged"] and not tree_of(set_up(kernel_name)[0]).config("MEMCG"):
        pytest.skip(f"the kernel {kernel_name} has no CONFIG_MEMCG")
    check_charged(shown["kv-charged"])


def test_kv_unload(shown: dict[str, str]) -> None:
    """Neither the list nor the keys pin the module."""
    assert shown["kv-unload"] == "# 40 \n1 cat: read error: Input/output error\n", shown["kv-unload"]


def test_kernel_log(session: Session) -> None:
    """The kernel log has no warning."""
    session.check_log(SAID)
