# SPDX-License-Identifier: GPL-2.0-only
"""Runs in a guest: programs that read /proc/slabinfo get kalloc's file instead, and must work
unchanged.
"""

import subprocess
import time

import exercise
import exporter
import kalloctop
import loading
import seeking
import slabtops
import unloading

PARTS = (exporter, slabtops, kalloctop, seeking, unloading, loading)


def main() -> None:
    """Runs the checks one after the other; the first failure ends the run."""
    exercise.modprobe("kalloc_exercise")
    subprocess.run(["mount", "--bind", exercise.FILE, "/proc/slabinfo"], check=True)
    assert exercise.rows("/proc/slabinfo") == exercise.rows()
    metrics = exporter.start()
    try:
        for part in PARTS:
            start = time.monotonic()
            part.check()
            print(f"{part.__name__}: {time.monotonic() - start:.1f} s", flush=True)
            if part is exporter:
                metrics.terminate()
                metrics.wait(10)
    finally:
        metrics.kill()


main()
