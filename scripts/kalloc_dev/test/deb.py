# SPDX-License-Identifier: GPL-2.0-only
"""The test of the packages on a new machine, from installation to purge.

DKMS builds the modules on that machine, for Debian's kernel. Then that kernel boots with the
machine's modules, and without the files that their build needed.
"""

import argparse
import io
import re
import shutil
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

from kalloc_dev.core.paths import BUILD, LOGS, TREE
from kalloc_dev.core.prepare import set_up
from kalloc_dev.guest import debian_machine
from kalloc_dev.guest.qemu import Guest, Result, boot
from kalloc_dev.kernel.build import DEVICES, Kernel, series
from kalloc_dev.package import deb
from kalloc_dev.test import dmesg, slabinfo_readers
from kalloc_dev.test.smoke import SITES, active_objects
from rust_kbuild.console import say, step, tail

SCRIPT = TREE / "tests/packaging/deb_install.sh"
MODULES = ("kalloc", "kalloc_compare", "kalloc_exercise", "kalloc_watch")
SINCE_7_3 = ("kalloc_hash", "kalloc_kv", "kalloc_map")

LOADS = r"""
test ! -e /lib/modules/$(uname -r)/build && ! ls -d /usr/src/linux-source-* 2>/dev/null || exit 20
modinfo kalloc | grep -E '^(filename|signer|sig_hashalgo)'
modprobe kalloc_exercise || exit 21
cat /proc/kallocinfo
echo @@ kalloctop
/opt/kalloctop --once || exit 22
for m in $others; do modprobe $m && rmmod $m || exit 23; done
rmmod kalloc_exercise kalloc || exit 24
"""
# A module that Debian signed, kalloc signed by DKMS, and kalloc without its signature.
ENFORCED = r"""
cat /sys/module/module/parameters/sig_enforce
modprobe squashfs && echo theirs loads
modprobe kalloc && echo ours loads && rmmod kalloc
/.vm/busybox xzcat $(modinfo -F filename kalloc) >/run/kalloc.ko
python3 -c '
import struct
data, mark = open("/run/kalloc.ko", "rb").read(), b"~Module signature appended~\n"
assert data.endswith(mark)
length, = struct.unpack(">I", data[-len(mark) - 4:-len(mark)])
open("/run/unsigned.ko", "wb").write(data[:-len(mark) - 12 - length])'
insmod /run/unsigned.ko && echo unsigned loads
true
"""
UNSIGNED = "Loading of unsigned module is rejected"
UNKNOWN = "Loading of module with unavailable key is rejected"


def main(_: argparse.Namespace) -> int:
    """Runs the tests; returns status 1 if one failed."""
    start = time.monotonic()
    kernel, = set_up("stock")
    shared = _packages()
    log = LOGS / "test-deb.log"
    with step("installing and purging the packages on a new machine", log):
        debian_machine.session(SCRIPT.read_text(), shared, log)
    counts = {"passed": 0, "failed": 0}
    for name, test in TESTS.items():
        try:
            test(kernel, shared)
            outcome = "passed"
        except (AssertionError, OSError) as reason:
            outcome = "failed"
            print(f"{reason}\n{tail(log)}")
        counts[outcome] += 1
        print(f"{outcome:8}{name}", flush=True)
    say(f"    in {time.monotonic() - start:.0f} s")
    print(f"{counts['passed']} passed, {counts['failed']} failed, 0 skipped")
    return 1 if counts["failed"] else 0


def _packages() -> Path:
    """Returns a directory with the packages, for the machine."""
    shared = BUILD / "test-deb"
    shutil.rmtree(shared, ignore_errors=True)
    shared.mkdir(parents=True)
    for made in deb.build():
        shutil.copy(made, shared)
    return shared


def modules(kernel: Kernel) -> tuple[str, ...]:
    """Returns the modules that DKMS builds for the kernel."""
    return (*MODULES, *(SINCE_7_3 if series(kernel.release) >= DEVICES else ()))


def lines(path: Path) -> list[str]:
    """Returns the lines of a file."""
    return path.read_text().splitlines()


def built(kernel: Kernel, shared: Path) -> None:
    """Checks that DKMS has built and installed every module, and removed its build directory."""
    status = (shared / "status").read_text()
    assert re.fullmatch(rf"kalloc/[\d.]+, {re.escape(kernel.release)}, x86_64: installed\n", status), status
    new = sorted(set(lines(shared / "modules.installed")) - set(lines(shared / "modules.before")))
    assert new == [f"./{kernel.release}/updates/dkms/{name}.ko.xz" for name in sorted(modules(kernel))], new
    assert not lines(shared / "left"), lines(shared / "left")
    said = lines(shared / "check")
    assert len(said) == len(modules(kernel)) and all(" are in Linux " in line for line in said), said


def loads(kernel: Kernel, shared: Path) -> None:
    """Checks that the modules load, count, and unload, and that kalloctop shows the sites."""
    others = " ".join(set(modules(kernel)) - {"kalloc", "kalloc_exercise"})
    text, result = _boot(kernel, shared, f"others='{others}'\n{LOADS}")
    assert result.status == 0, f"status {result.status}\n{text}"
    table, _, shown = text.partition("@@ kalloctop\n")
    empty = [site for site in SITES if not active_objects(table, site) or site not in shown]
    assert not empty, f"no objects of {empty}\n{text}"
    assert re.search(r"^signer: +DKMS module signing key$", text, re.M), text
    found = dmesg.judge(result.log)
    assert not found, "\n".join(found)


def refused(kernel: Kernel, shared: Path) -> None:
    """Checks that a kernel that requires signatures refuses the modules: it lacks DKMS' key."""
    text, said = _enforced(kernel, shared)
    assert "ours loads" not in text and UNKNOWN in said, f"{text}\n{said[-2000:]}"


def enrolled(kernel: Kernel, shared: Path) -> None:
    """Checks that the same kernel loads them on a machine whose firmware has the key."""
    text, said = _enforced(kernel, shared, (shared / "firmware.fd", shared / "variables.fd"))
    assert "ours loads" in text and UNKNOWN not in said, f"{text}\n{said[-2000:]}"
    assert "Loaded X.509 cert 'DKMS module signing key" in said, said


def _enforced(kernel: Kernel, shared: Path, firmware: tuple[Path, ...] = ()) -> tuple[str, str]:
    """Returns the output and the log of a kernel that requires signatures.

    It must load a module of Debian, and refuse one without a signature.
    """
    text, result = _boot(kernel, shared, ENFORCED, append="module.sig_enforce=1", firmware=firmware)
    said = result.log.read_text()
    assert result.status == 0 and text.startswith("Y\n") and "theirs loads" in text, f"{text}\n{said[-2000:]}"
    assert "unsigned loads" not in text and UNSIGNED in said, f"{text}\n{said[-2000:]}"
    return text, said


def skipped(kernel: Kernel, shared: Path) -> None:
    """Checks that DKMS skips a kernel without its source, names the reason, and builds when it is there."""
    text = (shared / "skipped").read_text()
    assert "error: no source of Linux" in text and f"kalloc: DKMS skips Linux {kernel.release} for this reason\n" in text, text
    assert "\nstatus 0\n" in text and text.count(" installed\n") == 2 and "x86_64: installed" not in text, text
    text = (shared / "returned").read_text()
    assert "\nstatus 0\n" in text and "skips" not in text and f"{kernel.release}, x86_64: installed" in text, text
    assert (shared / "alone").read_text() == "alone works\n"


def lifetime(kernel: Kernel, shared: Path) -> None:
    """Checks DKMS' modules after each step: a second kernel, upgrades in both orders, removals.

    No step fails, and none leaves a package half-configured.
    """
    head, *parts = re.split(r"^== (.*)\n", (shared / "lifetime").read_text(), flags=re.M)
    _, first, second = head.split()
    assert first == kernel.release, head
    installed: dict[str, set[tuple[str, str]]] = {}
    for name, text in zip(parts[::2], parts[1::2]):
        said, ended, state = text.rpartition("\nstatus 0\n")
        assert ended and "packages" not in state, f"{name}: {text[-3000:]}"
        installed[name] = set(re.findall(r"^kalloc/([^,]+), ([^,]+), x86_64: installed$", state, re.M))
        if "stale" in name:
            assert f"kalloc: DKMS skips Linux {second} for this reason\n" in said and "error: no source of Linux" in said, said
    old = next(iter(installed["again"]))[0]
    newer = f"{old}+newer"
    one, both = {(old, first)}, {(old, first), (old, second)}
    assert installed == {
        "again": one, "headers before image, stale source": one, "source": one, "kernel configured anew": both, "image": both,
        "kernels first, then kalloc": {(newer, first), (newer, second)}, "kernel removed": {(newer, first)},
        "kalloc first, then kernel": {(newer, first), (newer, second)}, "removed": set(), "purged": set()}, installed
    assert "/kalloc" not in parts[-3].rpartition("\nstatus 0\n")[2], parts[-3]


def purged(_: Kernel, shared: Path) -> None:
    """Checks that no file of the packages is left, and that no other module is missing."""
    there, left = lines(shared / "listing.installed"), lines(shared / "listing.purged")
    ours = [path for path in there if re.search(r"kalloc|rust-kbuild", path)]
    assert len(ours) > 100, ours
    assert not (remains := [path for path in left if re.search(r"kalloc|rust-kbuild", path)]), remains
    assert not (new := sorted(set(left) - set(there))), new
    assert lines(shared / "modules.purged") == lines(shared / "modules.before")
    assert (shared / "done").exists() and "installed" not in (shared / "packages").read_text()


def _boot(kernel: Kernel, shared: Path, command: str, **more: Any) -> tuple[str, Result]:
    """Boots the kernel with the machine's modules; returns the command's output and the result."""
    files = shared / "files"
    out = io.BytesIO()
    add = [(files / "lib/modules", "lib/modules"), (files / "etc/modprobe.d", "etc/modprobe.d"),
           (files / "usr/bin/kalloctop", "opt/kalloctop")]
    guest = Guest(kernel, command, add=add, packages=slabinfo_readers.PACKAGES, timeout=240, boot_seconds=240, **more)
    result = boot(guest, out, sys.stderr.buffer)
    return out.getvalue().decode(errors="replace"), result


TESTS: dict[str, Callable[[Kernel, Path], None]] = {
    f"deb.{test.__name__}": test for test in (built, loads, refused, enrolled, skipped, purged, lifetime)}
