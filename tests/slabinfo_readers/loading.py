# SPDX-License-Identifier: GPL-2.0
"""Modules that do not load, and some that do not go: what kmod's programs say is what the documentation explains."""

import os
import subprocess
from pathlib import Path

import exercise

FOLDER = Path("/lib/modules", os.uname().release, "extra")
ENFORCED = Path("/sys/module/module/parameters/sig_enforce")
# What the message ends in; Documentation/howto/troubleshooting.rst has each.
ANOTHER_KERNEL, FORMAT, SYMBOL, KEY, TAKEN, INVALID, IN_USE = SAID = (
    "Exec format error", "Invalid module format", "Unknown symbol in module", "Key was rejected by service", "File exists",
    "Invalid argument",
    "is in use")


def check() -> None:
    """Each of them; the last leaves a kernel that takes no module of ours."""
    assert "kmod" in said(0, "modprobe", "--version")
    ours, samples = FOLDER / "kalloc.ko", FOLDER / "kalloc_exercise.ko"
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
    """The command fails, and says so."""
    told = said(1, *command)
    assert why in told, (command, told)


def said(status: int, *command: str | Path) -> str:
    """What a command that ends with this status prints. Not busybox's, which has words of its own."""
    done = subprocess.run([f"/usr/sbin/{command[0]}", *command[1:]], capture_output=True, text=True, check=False)
    assert done.returncode == status, (command, done)
    return done.stdout + done.stderr
