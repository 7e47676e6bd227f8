# SPDX-License-Identifier: GPL-2.0-only
"""Loads the modules, reads and parses every row, runs the workloads, and unloads: on the stock kernel, or --kernel."""

import json
import re

import pytest

from kalloc_dev.test.session import Session, in_guest

KERNEL = "stock"

GUEST = r"""
file=/proc/kallocinfo exercise=/sys/kernel/debug/kalloc/exercise
section() { echo "@@ $1"; }
# Prints the status and the output of a command on one line.
try() { out=$("$@" 2>&1); echo "$? $out"; }
# Writes this text in one call.
put() { printf "$1" | dd of=$exercise bs=4096 2>/run/dd; status=$?; grep error /run/dd; return $status; }
traces() { ls -d /proc/kallocinfo /sys/kernel/debug/kalloc /sys/module/kalloc* /sys/kernel/slab/exercise_* 2>/dev/null
           grep -c exercise_ /proc/slabinfo; }

echo 'nobody:x:65534:65534::/:/bin/sh' >>/etc/passwd
section traces-before; traces

section bad-parameters
for p in count=0 count=100001 size=0 size=4194305 keep=1001 count=x 'size=4194304 keep=1000'; do
    try modprobe kalloc_exercise $p
done
section after-bad; cat $file

section load; try modprobe kalloc_exercise
section mode; stat -c '%a %u %g' $file
section table; cat $file
section nobody; try su -s /bin/sh nobody -c "cat $file"
section again; cat $file
for bs in 1 7 100 4096; do section "read-$bs"; dd if=$file bs=$bs 2>/dev/null; done
section rewind; exec 4<$file; head -c 150 <&4 >/dev/null; exec 4<&-; cat $file

section workloads; put 'all count=500 size=700 keep=7\n'; cat $exercise
section kept; cat $file
section sites; cat /sys/kernel/debug/kalloc/sites
section json; cat /sys/kernel/debug/kalloc/sites.json
section debugfs; stat -c '%a %u %g' /sys/kernel/debug/kalloc/*
section nobody-debugfs
for f in sites sites.json exercise; do try su -s /bin/sh nobody -c "cat /sys/kernel/debug/kalloc/$f"; done
section commands
for c in ' ' nonsense 'kbox count=0' 'kbox count=-1' 'kbox count=99999999999999999999' 'kbox size=0' \
         'kbox count=100000 size=4000000' 'kbox keep=1001' 'kbox size' 'kbox colour=3' 'free now' 'kbox \377' 'all count=1 \0'; do
    try put "$c"
done
try put "kbox $(printf '%300s' x)"
section untouched; cat $file

section shrunk
echo 1 >/sys/kernel/slab/exercise_cache/shrink
grep '^exercise_cache ' $file /proc/slabinfo
section free; put free; cat $file; grep '^exercise_cache ' /proc/slabinfo

# The module is unloaded before the commands that it waits for have completed all of their work.
section busy
for i in 1 2; do (try put 'all count=100000 size=10000' >/run/busy$i) & done
sleep 1
start=$(date +%s); try rmmod kalloc_exercise; echo $(($(date +%s) - start < 10))
wait; cat /run/busy?
try modprobe kalloc_exercise

section in-use; try rmmod kalloc
section open; exec 5<$file; head -c 1 <&5
try rmmod kalloc_exercise
try cat $file
try rmmod kalloc
echo; try cat <&5
exec 5<&-
section traces-after; traces
section reload
for i in 1 2 3; do try modprobe kalloc_exercise workloads=$i; try rmmod kalloc_exercise kalloc; done
"""

HEADER = (
    "slabinfo - version: 2.1\n"
    "# name            <active_objs> <num_objs> <objsize> <objperslab> <pagesperslab> : tunables <limit>"
    " <batchcount> <sharedfactor> : slabdata <active_slabs> <num_slabs> <sharedavail>\n"
)
ROW = "%-17s %6d %6d %6d %4d %4d : tunables %4d %4d %4d : slabdata %6d %6d %6d\n"
FIELDS = re.compile(r"(\S+)((?: +\d+){5}) : tunables((?: +\d+){3}) : slabdata((?: +\d+){3})")
SITES = ["kbox", "kvec", "karray", "kvarray", "cache", "pages", "fpages", "vmap", "vbox", "varray"]
# The messages that the bad parameters must cause.
SAID = (r"^kalloc_exercise: parameter out of range, see modinfo kalloc_exercise$",
        r"^kalloc_exercise: `x' invalid for parameter `count'$")


def parse(table: str) -> dict[str, list[int]]:
    """Returns the rows of a table, each checked literally."""
    assert table.startswith(HEADER), table
    rows = {}
    for line in table[len(HEADER):].splitlines(keepends=True):
        match = FIELDS.fullmatch(line.rstrip("\n"))
        assert match, f"not a row: {line!r}"
        numbers = [int(number) for group in match.groups()[1:] for number in group.split()]
        assert ROW % (match[1], *numbers) == line, f"not to the letter: {line!r}"
        assert len(line.split()) == 16 and len(match[1]) < 64
        active, total, size, per_slab, pages = numbers[:5]
        assert active <= total and numbers[5:8] == [0, 0, 0] and numbers[8] == numbers[9] and numbers[10] == 0
        assert per_slab > 0 and pages > 0 and (size > 0 or not active), line
        rows[match[1]] = numbers
    return rows


def ended(text: str, status: int, *words: str) -> None:
    """The required end of every line."""
    for line in text.splitlines():
        got, _, said = line.partition(" ")
        assert int(got) == status and all(word in said for word in words), f"{line!r}: wanted {status} {words}"


@pytest.fixture(scope="module")
def session(kernel_name: str) -> Session:
    """Returns the guest."""
    return in_guest(GUEST, "--kernel", kernel_name, "--timeout", "900")


@pytest.fixture(scope="module")
def kept(shown: dict[str, str]) -> dict[str, list[int]]:
    """Returns the rows while the workloads keep 7 blocks each."""
    return parse(shown["kept"])


Sites = dict[str, dict[str, str]]


@pytest.fixture(scope="module")
def by_name(shown: dict[str, str]) -> Sites:
    """Returns the lines of the file `sites` at the same time, by name."""
    header, *sites = (line.split() for line in shown["sites"].splitlines())
    assert all(len(site) == len(header) - 1 for site in sites), sites
    return {site[0]: dict(zip(header[1:], site)) for site in sites}


def test_no_traces(shown: dict[str, str]) -> None:
    """Before the first module is loaded and after the last one is unloaded, no file exists."""
    assert shown["traces-before"] == shown["traces-after"] == "0\n"


def test_bad_parameters_are_refused(shown: dict[str, str]) -> None:
    """Each bad parameter fails, and registers no site."""
    bad = shown["bad-parameters"].splitlines()
    assert len(bad) == 7
    ended(shown["bad-parameters"], 1, "Invalid argument")
    assert parse(shown["after-bad"]) == {}


def test_table_has_every_site(shown: dict[str, str]) -> None:
    """Each site has a row of 4 objects, in order."""
    ended(shown["load"], 0)
    rows = parse(shown["table"])
    assert list(rows) == [f"exercise_{name}" for name in SITES], list(rows)
    assert all(row[0] == 4 for row in rows.values()), rows


def test_kallocinfo_is_private(shown: dict[str, str]) -> None:
    """Only root can read the file."""
    assert shown["mode"] == "400 0 0\n"
    ended(shown["nobody"], 1, "Permission denied")


def test_reads_of_any_size_agree(shown: dict[str, str]) -> None:
    """The text is the same for every way of reading."""
    for name in ("again", "rewind", "read-1", "read-7", "read-100", "read-4096"):
        assert shown[name] == shown["table"], name


def test_workloads(shown: dict[str, str], kept: dict[str, list[int]]) -> None:
    """Each workload runs with its parameters, and keeps 7 blocks."""
    lines = [line.split() for line in shown["workloads"].splitlines() if not line.startswith("#")]
    assert [line[0] for line in lines] == SITES
    assert all(line[1:4] == ["500", "700", "7"] and line[6:] == ["0", "ok"] for line in lines), lines
    assert all(int(line[4]) >= 507 for line in lines)
    assert all(row[0] == 7 for row in kept.values()), kept


def test_size_classes(kept: dict[str, list[int]]) -> None:
    """A block takes its size class or whole pages."""
    # 7 blocks of 700 bytes take the class of 1024, or whole pages.
    assert kept["exercise_karray"][2] == 1024 and kept["exercise_varray"][2] == 4096


COLUMNS = ("name family unit live allocs frees no_memory no_wait invalid live_bytes live_allocated peak peak_bytes "
           "peak_allocated sizes module location type")


def test_sites(shown: dict[str, str], by_name: Sites, kept: dict[str, list[int]]) -> None:
    """The file `sites` has every site, with the counters of the kept blocks."""
    assert shown["sites"].splitlines()[0].split()[1:] == COLUMNS.split()
    assert list(by_name) == list(kept)
    assert all(int(site["live"]) == 7 == int(site["allocs"]) - int(site["frees"]) for site in by_name.values())
    assert by_name["exercise_karray"]["live_bytes"] == str(7 * 700)
    assert by_name["exercise_karray"]["live_allocated"] == str(7 * 1024)
    assert by_name["exercise_varray"]["live_allocated"] == str(7 * 4096)
    assert all(int(site["peak"]) >= 7 for site in by_name.values())
    sizes = dict(size.split(":") for size in by_name["exercise_karray"]["sizes"].split(","))
    assert {size for size, counts in sizes.items() if counts.startswith("7/")} == {"1024"}, sizes
    assert by_name["exercise_kbox"]["unit"] == "64" and by_name["exercise_kbox"]["type"].endswith("::Payload")
    assert by_name["exercise_cache"]["location"].startswith("samples/exercise/workload.rs:")


def test_json_agrees(shown: dict[str, str], by_name: Sites) -> None:
    """The file `sites.json` has the numbers of `sites`, and those of each CPU."""
    twins = [json.loads(line) for line in shown["json"].splitlines()]
    assert [twin["name"] for twin in twins] == list(by_name)
    for twin in twins:
        site = by_name[twin["name"]]
        for key in ("unit", "live", "allocs", "frees", "live_bytes", "live_allocated", "peak", "peak_bytes",
                    "peak_allocated"):
            assert twin[key] == int(site[key]), (key, twin, site)
        assert twin["failures"] == {key: int(site[key]) for key in ("no_memory", "no_wait", "invalid")}
        assert twin["type"].replace(" ", "") == site["type"] and twin["family"] == site["family"]
        assert f"{twin['file']}:{twin['line']}" == site["location"] and twin["module"] == site["module"]
        assert "sizes" in twin and (twin["unit"] == 0) == (site["sizes"] != "-")
        said = [f"{s['up_to']}:{s['allocs'] - s['frees']}/{s['allocs']}" for s in twin["sizes"]]
        assert (",".join(said) or "-") == site["sizes"], (twin, site)
        for key in ("allocs", "frees"):
            assert sum(on[key] for on in twin["cpus"]) == twin[key], twin
        assert all(on["allocs"] or on["frees"] for on in twin["cpus"]), twin


def test_debugfs_is_private(shown: dict[str, str]) -> None:
    """Only root can read the files in debugfs."""
    assert all(line.split()[0] in ("400", "600") for line in shown["debugfs"].splitlines()), shown["debugfs"]
    ended(shown["nobody-debugfs"], 1, "Permission denied")
    assert len(shown["nobody-debugfs"].splitlines()) == 3


def test_bad_commands_are_refused(shown: dict[str, str]) -> None:
    """Each bad command fails, and changes nothing."""
    assert len(shown["commands"].splitlines()) == 14
    ended(shown["commands"], 1)
    assert all("Invalid argument" in line or "Argument list too long" in line
               for line in shown["commands"].splitlines())
    assert shown["untouched"] == shown["kept"]


def test_cache_is_the_kernels(shown: dict[str, str]) -> None:
    """A cache's row is the kernel's own, after it was shrunk and all objects were freed."""
    ours, kernels = (line.split(":", 1)[1].split() for line in shown["shrunk"].splitlines())
    # Active objects and the geometry; the number of slabs that a cache keeps depends on the kernel.
    assert ours[1] == kernels[1] == "7" and ours[3:6] == kernels[3:6], (ours, kernels)
    freed, _, slabinfo = shown["free"].rpartition("\n")[0].rpartition("\n")
    assert all(row[0] == 0 for row in parse(freed + "\n").values())
    assert slabinfo.split()[1:3] == ["0", "0"], slabinfo


def test_unloading_does_not_wait(shown: dict[str, str]) -> None:
    """The module is unloaded before the commands that write to its file end."""
    busy = shown["busy"].splitlines()
    assert len(busy) == 5 and [busy[0], busy[1], busy[4]] == ["0 ", "1", "0 "], f"unloading waits: {busy}"
    ended("\n".join(busy[2:4]), 1, "No such device")


def test_library_in_use(shown: dict[str, str]) -> None:
    """A module that uses the library pins it."""
    ended(shown["in-use"], 1, "can't unload module")


def test_open_file(shown: dict[str, str]) -> None:
    """An open file does not pin the module, and returns nothing after the module is unloaded."""
    opened = shown["open"].splitlines()
    assert opened[:4] == ["s0 ", "0 " + HEADER.splitlines()[0], HEADER.splitlines()[1], "0 "], opened
    assert not any("slabinfo" in line for line in opened[4:]), opened


def test_reload(shown: dict[str, str]) -> None:
    """The modules load again."""
    ended(shown["reload"], 0)


def test_kernel_log(session: Session) -> None:
    """The kernel log has no warning except those of the bad parameters."""
    session.check_log(SAID)
