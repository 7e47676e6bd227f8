# SPDX-License-Identifier: GPL-2.0-only
"""The test of `make run`: load, exercise, show and unload the modules, with a clean log."""

import argparse
import io
import sys
import time

from kalloc_dev.core.prepare import set_up
from kalloc_dev.guest import kvm
from kalloc_dev.guest.qemu import Guest, Result, boot
from kalloc_dev.kernel.build import Kernel
from kalloc_dev.modules import kbuild
from kalloc_dev.test import dmesg
from rust_kbuild.console import Failure, say

# The allocation site of each wrapper, in which the exercise leaves objects.
SITES = tuple(f"exercise_{wrapper}" for wrapper in
              ["kbox", "kvec", "karray", "kvarray", "cache", "pages", "fpages", "vmap", "vbox", "varray"])

COMMAND = """
modprobe kalloc_exercise || exit 10
cat /proc/kallocinfo || exit 11
rmmod kalloc_exercise kalloc || exit 12
"""
MEANING = {
    10: "the modules do not load",
    11: "/proc/kallocinfo cannot be read",
    12: "the modules do not unload",
    124: "the guest does not answer",
    126: "the guest died",
}


def main(_: argparse.Namespace) -> int:
    """Runs the test; fails with a line about the first problem."""
    start = time.monotonic()
    kernel, = set_up("stock")
    kbuild.image(kernel)
    kvm.usable(kernel)
    ready = time.monotonic()

    table = io.BytesIO()
    try:
        result = life(kernel, table)
    finally:
        sys.stdout.write(table.getvalue().decode(errors="replace"))
        sys.stdout.flush()
    say(f"==> loaded, counted and unloaded on Linux {kernel.release}, with a clean log ({result.log}): "
        f"set-up {ready - start:.0f} s, boot {result.boot_seconds:.0f} s, total {time.monotonic() - start:.0f} s")
    return 0


def life(kernel: Kernel, table: io.BytesIO) -> Result:
    """Loads, shows and unloads the modules in a guest of that kernel; fails on any deviation."""
    result = boot(Guest(kernel, COMMAND, modules=kbuild.image(kernel), kvm=kvm.usable(kernel)), table)
    if result.status:
        raise Failure(MEANING.get(result.status, f"the guest's status is {result.status}"), result.log)
    if missing := [site for site in SITES if active_objects(table.getvalue().decode(), site) == 0]:
        raise Failure(f"/proc/kallocinfo has no active objects in {' '.join(missing)}", result.log)
    if found := dmesg.judge(result.log):
        raise Failure("the kernel log has warnings:\n" + "\n".join(found), result.log)
    return result


def active_objects(table: str, site: str) -> int:
    """Returns a site's active objects in /proc/kallocinfo, or 0 if it has no row."""
    for line in table.splitlines():
        name, _, rest = line.partition(" ")
        if name == site:
            return int(rest.split()[0])
    return 0
