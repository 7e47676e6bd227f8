# SPDX-License-Identifier: GPL-2.0-only
"""Leaks, which kmemleak detects."""

from kalloc_dev.test.sanitizers.boot import NOTHING

# The scan runs when the leaks are old enough, and before other threads end and leave theirs.
PLANT = r"""
uptime_ms() { awk '{ printf "%d", $1 * 1000 }' /proc/uptime; }
echo 1 >/sys/module/kmemleak/parameters/verbose
for family in box area; do plant leak $family; done
start=$(uptime_ms)
echo scan >/sys/kernel/debug/kmemleak &
"""
LOOK = r"""
wait
while [ $(($(uptime_ms) - start)) -lt 5200 ]; do usleep 50000; done
section leaks
echo scan >/sys/kernel/debug/kmemleak
"""
LEAKS = {
    "leak box": NOTHING,
    "leak area": NOTHING,
    "leaks": ((r"^kmemleak: [2-8] new suspected memory leaks ",), r"^kmemleak: +planted_leak\+"),
}
