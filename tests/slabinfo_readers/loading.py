# SPDX-License-Identifier: GPL-2.0-only
"""Modules that fail to load or to unload: the messages of kmod's programs are those in the
documentation.
"""

import os
import subprocess
from pathlib import Path

import exercise

DIRECTORY = Path("/lib/modules", os.uname().release, "extra")
ENFORCED = Path("/sys/module/module/parameters/sig_enforce")
# The ends of the messages; Documentation/howto/troubleshooting.rst has each.
ANOTHER_KERNEL, FORMAT, SYMBOL, KEY, TAKEN, INVALID, IN_USE = SAID = (
    "Exec format error", "Invalid module format", "Unknown symbol in module", "Key was rejected by service", "File exists",
    "Invalid argument",
    "is in use")


def check() -> None:
    """Causes each message; after the last one, the kernel loads no module of the project."""
    assert "kmod" in said(0, "modprobe", "--version")
    ours, samples = DIRECTORY / "kalloc.ko", DIRECTORY / "kalloc_exercise.ko"
    other = Path("/run/other.ko")
    data = ours.read_bytes()
    assert data.count(b"vermagic=7.") == 1
    other.write_bytes(data.replace(b"vermagic=7.", b"vermagic=6."))
    refused(ANOTHER_KERNEL, "modprobe", other)
    refused(FORMAT, "insmod", other)
    refused(SYMBOL, "insmod", samples)
    exercise.modprobe("kalloc")
    refused(TAKEN, "insmod", ours)
    refused(INVALID, "modprobe", "kalloc_exercise", "count=0")
    exercise.modprobe("-a", "kalloc_exercise", "kalloc_kv")
    refused(IN_USE, "rmmod", "kalloc")
    with open("/dev/kalloc_kv", "rb"):
        refused(IN_USE, "rmmod", "kalloc_kv")
    exercise.rmmod("kalloc_kv", "kalloc_exercise", "kalloc")
    ENFORCED.write_text("1")
    refused(KEY, "modprobe", "kalloc")


def refused(why: str, *command: str | Path) -> None:
    """Checks that the command fails with this message."""
    told = said(1, *command)
    assert why in told, (command, told)


def said(status: int, *command: str | Path) -> str:
    """Returns the output of a command that ends with this status. Busybox has other messages, so
    kmod is used.
    """
    done = subprocess.run([f"/usr/sbin/{command[0]}", *command[1:]], capture_output=True, text=True, check=False)
    assert done.returncode == status, (command, done)
    return done.stdout + done.stderr
