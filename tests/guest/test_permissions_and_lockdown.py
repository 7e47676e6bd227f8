# SPDX-License-Identifier: GPL-2.0-only
"""File permissions, shown addresses, and the files of a locked-down kernel: on the stock kernel.

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
# Prints the status and the output of a command on one line.
try() { out=$("$@" 2>&1); echo "$? $out"; }
# Prints the files that can be opened for reading (r) and for writing (w).
opens() { for file in $files; do test -d $file && continue
              (: <$file) 2>/dev/null && echo "$file r"
              (: >>$file) 2>/dev/null && echo "$file w"; done; }
# Prints the number of digits but zero at the start of the kernel's list of symbols, and the number of areas.
addresses() { head -n 1 /proc/kallsyms | cut -c 1-16 | tr -d 0 | wc -c; grep -vc '^#' $debug/layout; }
gap() { awk '$2 == "vmalloc" && $3 == "gap_below" { print $4 }' $debug/compare; }

mount -t securityfs none /sys/kernel/security
modprobe -a kalloc_exercise kalloc_compare kalloc_kv kalloc_map || exit 10
section modes; stat -c '%n %a %u %g' $files; ls /sys/module/kalloc*/parameters 2>/dev/null
section opens; opens
section strangers; fuzz strangers; echo "status $?"
section taint; for module in kalloc kalloc_exercise; do cat /sys/module/$module/taint; done
section addresses
for restrict in 0 1 2; do
    echo $restrict >/proc/sys/kernel/kptr_restrict; addresses
done
section gap; gap; echo 0 >/proc/sys/kernel/kptr_restrict; gap
# Prints the bytes of each file except that list, and every number so large that it can only be an address of the
# kernel; then the number of such addresses in the list.
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
# The minimum number of bytes of each file, the last being /dev/kalloc_map.
BYTES = {f"{DEBUG}sites": 2000, f"{DEBUG}sites.json": 6000, f"{DEBUG}compare": 4000, f"{DEBUG}exercise": 250,
         "/proc/kallocinfo": 2000, "/proc/kalloc_kv": 40, "-": 800}
# Messages of a locked-down kernel about rejected operations.
SAID = (r"^Lockdown: ", r"^lockdown_is_locked_down: \d+ callbacks suppressed$",
        r"^Kernel is locked down from securityfs", r"^Loading of unsigned module is ")


@pytest.fixture(scope="module")
def session() -> Session:
    """Returns the guest."""
    require_devices("stock")
    return in_guest(GUEST, "--kernel", "stock", "--timeout", "900", f"--add={compiled('fuzz')}:/usr/bin/")


@pytest.fixture(scope="module")
def opened(shown: dict[str, str]) -> set[str]:
    """Returns the files that root can open, each with the direction."""
    return set(shown["opens"].splitlines())


def test_modes(shown: dict[str, str]) -> None:
    """Returns the owners and modes of the files."""
    assert shown["modes"] == MODES.lstrip(), shown["modes"]


def test_root_opens(opened: set[str]) -> None:
    """Root needs no permission; a read-only file has no write function."""
    assert f"{DEBUG}exercise w" in opened and "/proc/kallocinfo r" in opened, opened


def test_other_users_open_nothing(shown: dict[str, str]) -> None:
    """Another user is rejected, even as root of a user namespace."""
    *figures, status = shown["strangers"].splitlines()
    assert status == "status 0" and "wrong 0" in figures, shown["strangers"]
    refused = dict(figure.split()[:2] for figure in figures)
    assert int(refused["refused_EACCES"]) >= 30 and refused["accepted"] == "0", refused


def test_taint(shown: dict[str, str]) -> None:
    """The modules are marked as out-of-tree and unsigned."""
    assert shown["taint"] == "OE\nOE\n", shown["taint"]


def test_addresses(shown: dict[str, str]) -> None:
    """The file `layout` shows addresses under the same conditions as kallsyms."""
    # Both show addresses, or both show zero: one digit and a newline.
    numbers = [int(number) for number in shown["addresses"].split()]
    assert [number > 1 for number in numbers] == [True] * 4 + [False] * 2, numbers


def test_gap(shown: dict[str, str]) -> None:
    """The distance between two areas is hidden together with the addresses."""
    assert re.fullmatch(r"unknown\n~?\d\S*\n", shown["gap"]), shown["gap"]


def test_no_addresses_elsewhere(shown: dict[str, str]) -> None:
    """No other file shows a number that can only be a kernel address."""
    *files, (_, layout) = (line.split() for line in shown["shown"].splitlines())
    assert [line[:2] for line in files] == [["bytes", file] for file in BYTES], shown["shown"]
    assert all(int(size) >= BYTES[file] for _, file, size in files) and int(layout) >= 10, shown["shown"]


def test_lockdown(shown: dict[str, str], opened: set[str]) -> None:
    """A locked-down kernel rejects the files with side effects."""
    locks = shown["locks"]
    _, first, second = re.split(r"^(?=none )", locks, flags=re.M)
    for text, level in ((first, "[integrity]"), (second, "[confidentiality]")):
        assert level in text, text
        left = {line for line in text.splitlines() if line.startswith("/")}
        # Files with side effects cannot be opened; files that only show data can.
        assert left == {line for line in opened if line.split()[0] != f"{DEBUG}exercise" and
                        not (line.startswith(DEBUG) and line.endswith("w"))}, (left, opened)
    assert locks.count("Operation not permitted") == 2, locks


def test_unload(shown: dict[str, str]) -> None:
    """The modules are unloaded, and a locked-down kernel loads none."""
    assert shown["unload"].startswith("0 \n1 modprobe: "), shown["unload"]


def test_kernel_log(session: Session) -> None:
    """The kernel log only contains the messages of a locked-down kernel about rejected operations.
    """
    session.check_log(SAID)
