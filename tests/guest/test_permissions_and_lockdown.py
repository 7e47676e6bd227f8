# SPDX-License-Identifier: GPL-2.0
"""Who may open which file, which addresses are shown, and what a locked-down kernel leaves: on the stock kernel.

The assertions of Documentation/explanation/security.rst, in its order.
"""

import re

import pytest

from kalloc_dev.modules.user_programs import compiled
from kalloc_dev.test.session import Session, in_guest, require_devices

GUEST = r"""
debug=/sys/kernel/debug/kalloc lockdown=/sys/kernel/security/lockdown
files="/proc/kallocinfo /proc/kalloc_kv /dev/kalloc_kv /dev/kalloc_map $debug $debug/sites $debug/sites.json
       $debug/exercise $debug/compare $debug/layout"
section() { echo "@@ $1"; }
# What a command says and how it ends, on one line.
try() { out=$("$@" 2>&1); echo "$? $out"; }
# Whether each file can be opened to be read, and to be written.
opens() { for file in $files; do test -d $file && continue
              (: <$file) 2>/dev/null && echo "$file r"
              (: >>$file) 2>/dev/null && echo "$file w"; done; }
# How many digits but zero the kernel's own list of symbols begins with, and how many lines our list of areas has.
addresses() { head -n 1 /proc/kallsyms | cut -c 1-16 | tr -d 0 | wc -c; grep -vc '^#' $debug/layout; }
gap() { awk '$2 == "vmalloc" && $3 == "gap_below" { print $4 }' $debug/compare; }

mount -t securityfs none /sys/kernel/security
modprobe -a kalloc_exercise kalloc_compare kalloc_kv kalloc_map || exit 10
section modes; stat -c '%n %a %u %g' $files; ls /sys/module/kalloc*/parameters 2>/dev/null
section opens; opens
section strangers; hostile strangers; echo "status $?"
section taint; for module in kalloc kalloc_exercise; do cat /sys/module/$module/taint; done
section addresses
for restrict in 0 1 2; do
    echo $restrict >/proc/sys/kernel/kptr_restrict; addresses
done
section gap; gap; echo 0 >/proc/sys/kernel/kptr_restrict; gap
# How many bytes each file but that list shows, and every number so large that it can only be an address of the
# kernel's; then how many the list has of those.
large() { grep -E '(0x|\b)ffff[0-9a-f]{12}\b'; }
shows() { cat "$@" >/tmp/shown; echo "bytes $1 $(wc -c </tmp/shown)"; large </tmp/shown; }
section shown
for file in $debug/sites $debug/sites.json $debug/compare $debug/exercise /proc/kallocinfo /proc/kalloc_kv; do
    shows $file
done
exec 5<>/dev/kalloc_map; shows - <&5; exec 5<&-
echo "layout $(large <$debug/layout | wc -l)"
section locks
for level in integrity confidentiality; do
    echo $level >$lockdown; cat $lockdown; opens; addresses
    try modprobe kalloc_mmap_twice
done
section unload; try rmmod kalloc_exercise kalloc_compare kalloc_kv kalloc_map kalloc; try modprobe kalloc
"""

MODES = """
/proc/kallocinfo 400 0 0
/proc/kalloc_kv 400 0 0
/dev/kalloc_kv 600 0 0
/dev/kalloc_map 600 0 0
/sys/kernel/debug/kalloc 755 0 0
/sys/kernel/debug/kalloc/sites 400 0 0
/sys/kernel/debug/kalloc/sites.json 400 0 0
/sys/kernel/debug/kalloc/exercise 600 0 0
/sys/kernel/debug/kalloc/compare 400 0 0
/sys/kernel/debug/kalloc/layout 400 0 0
"""
DEBUG = "/sys/kernel/debug/kalloc/"
# What each file has at least of bytes, the last being /dev/kalloc_map.
BYTES = {f"{DEBUG}sites": 2000, f"{DEBUG}sites.json": 6000, f"{DEBUG}compare": 4000, f"{DEBUG}exercise": 250,
         "/proc/kallocinfo": 2000, "/proc/kalloc_kv": 40, "-": 800}
# What a locked-down kernel says of what it refuses.
SAID = (r"^Lockdown: ", r"^lockdown_is_locked_down: \d+ callbacks suppressed$",
        r"^Kernel is locked down from securityfs", r"^Loading of unsigned module is ")


@pytest.fixture(scope="module")
def session() -> Session:
    """The guest."""
    require_devices("stock")
    return in_guest(GUEST, "--kernel", "stock", "--timeout", "150", f"--add={compiled('hostile')}:/usr/bin/")


@pytest.fixture(scope="module")
def opened(shown: dict[str, str]) -> set[str]:
    """The files that root can open, each with the direction."""
    return set(shown["opens"].splitlines())


def test_modes(shown: dict[str, str]) -> None:
    """The owners and modes of the files."""
    assert shown["modes"] == MODES.lstrip(), shown["modes"]


def test_root_opens(opened: set[str]) -> None:
    """Root needs no permission; a file that cannot be written has no such function."""
    assert f"{DEBUG}exercise w" in opened and "/proc/kallocinfo r" in opened, opened


def test_other_users_open_nothing(shown: dict[str, str]) -> None:
    """Another user, in a user namespace too, is refused."""
    *figures, status = shown["strangers"].splitlines()
    assert status == "status 0" and "wrong 0" in figures, shown["strangers"]
    refused = dict(figure.split()[:2] for figure in figures)
    assert int(refused["refused_EACCES"]) >= 30 and refused["accepted"] == "0", refused


def test_taint(shown: dict[str, str]) -> None:
    """The modules are marked as from outside of the tree, and unsigned."""
    assert shown["taint"] == "OE\nOE\n", shown["taint"]


def test_addresses(shown: dict[str, str]) -> None:
    """The file `layout` shows addresses where kallsyms does."""
    # What kallsyms shows, layout shows: a zero is one digit, its line's end.
    numbers = [int(number) for number in shown["addresses"].split()]
    assert [number > 1 for number in numbers] == [True] * 4 + [False] * 2, numbers


def test_gap(shown: dict[str, str]) -> None:
    """The distance between two areas is hidden with the addresses."""
    assert re.fullmatch(r"unknown\n~?\d\S*\n", shown["gap"]), shown["gap"]


def test_no_addresses_elsewhere(shown: dict[str, str]) -> None:
    """No other file shows a number that can only be a kernel address."""
    *files, (_, layout) = (line.split() for line in shown["shown"].splitlines())
    assert [line[:2] for line in files] == [["bytes", file] for file in BYTES], shown["shown"]
    assert all(int(size) >= BYTES[file] for _, file, size in files) and int(layout) >= 10, shown["shown"]


def test_lockdown(shown: dict[str, str], opened: set[str]) -> None:
    """A locked-down kernel closes the files that do something."""
    locks = shown["locks"]
    _, first, second = re.split(r"^(?=none )", locks, flags=re.M)
    for text, level in ((first, "[integrity]"), (second, "[confidentiality]")):
        assert level in text, text
        left = {line for line in text.splitlines() if line.startswith("/")}
        # Those that do something are closed; those that tell are not.
        assert left == {line for line in opened if line.split()[0] != f"{DEBUG}exercise" and
                        not (line.startswith(DEBUG) and line.endswith("w"))}, (left, opened)
    assert locks.count("Operation not permitted") == 2, locks


def test_unload(shown: dict[str, str]) -> None:
    """The modules are unloaded, and a locked-down kernel loads none."""
    assert shown["unload"].startswith("0 \n1 modprobe: "), shown["unload"]


def test_kernel_log(session: Session) -> None:
    """The kernel log has only what a locked-down kernel logs of what it refuses."""
    session.check_log(SAID)
