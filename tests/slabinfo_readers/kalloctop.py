# SPDX-License-Identifier: GPL-2.0-only
"""kalloctop on the kernel's own files: live, once, as JSON and metrics, and the growth between two
readings.
"""

import json
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager

import exercise
import exposition
from shown import cells, live_cells, size
from slabinfo import Row, table
from terminal import Terminal

PROGRAM = "kalloctop"
SITES = "/sys/kernel/debug/kalloc/sites.json"
# The directory in which the node exporter reads additional metrics.
DIRECTORY = "/run/textfile"
# The initial number of blocks of a growing and of a shrinking workload; no workload can keep more
# than a thousand.
LEAST, MOST = 200, 1000


def there() -> bool:
    """Returns whether the guest has the program. The host reports it if the registry is
    unreachable.
    """
    return os.path.exists(f"/usr/bin/{PROGRAM}")


def run(*words: str) -> str:
    """Returns the output of the program."""
    return subprocess.run([PROGRAM, *words], stdout=subprocess.PIPE, text=True, check=True).stdout


def sites() -> dict[str, dict[str, object]]:
    """Returns the sites by their names."""
    return {site["name"]: site for site in map(json.loads, exercise.read(SITES).splitlines())}


def export() -> None:
    """Writes metrics for the node exporter."""
    os.makedirs(DIRECTORY, exist_ok=True)
    run("--prometheus", "-o", f"{DIRECTORY}/kalloc.prom")


def check() -> None:
    """Runs all checks; none if the program is missing."""
    if there():
        for part in (live, once, as_json, differences, leaks):
            part()


def shows(lines: list[str], rows: list[Row], order: list[Row]) -> bool:
    """Returns whether the screen shows these rows in this order, with their numbers."""
    heads = [number for number, line in enumerate(lines) if line.startswith("NAME")]
    whole = sum(row.bytes for row in rows)
    shown = [line.split() for line in lines[heads[0] + 1:-1] if line] if heads else []
    return [cells[:1] for cells in shown] == [[row.name] for row in order] and all(
        set(live_cells(row, whole)) <= set(found) for found, row in zip(shown, order))


def live() -> None:
    """On a terminal: follows the files, sorts, selects, shows the details of a row, and exits
    cleanly.
    """
    rows = exercise.hold()
    by_live = sorted(rows, key=lambda row: -row.active)
    with Terminal(PROGRAM, "-d", "0.3") as terminal:
        by_bytes = sorted(rows, key=lambda row: (-row.bytes, row.name))
        terminal.until("the rows by size", lambda lines: shows(lines, rows, by_bytes))
        terminal.type("a")
        terminal.until("the rows by live objects", lambda lines: shows(lines, rows, by_live))
        rows = exercise.hold(1)
        by_live = sorted(rows, key=lambda row: -row.active)
        lines = terminal.until("one more of each", lambda lines: shows(lines, rows, by_live))
        active, objects = sum(row.active for row in rows), sum(row.objects for row in rows)
        slabs, held = sum(row.slabs for row in rows), size(sum(row.bytes for row in rows))
        part = f"{100 * active / objects:.1f}%"
        assert lines[1] == f"Rows {len(rows)}  Live {active} / {objects} ({part})  Slabs {slabs}  Size {held}", lines[1]
        terminal.type("/KVEC\r")
        wanted = [row for row in rows if row.name == "exercise_kvec"]
        terminal.until("one row", lambda lines: shows(lines, rows, wanted))
        site = sites()["exercise_kvec"]
        terminal.type("\r")
        told = (f"Live {site['live']}  Allocated {site['allocs']}  Freed {site['frees']}  Peak {site['peak']}",
                f"Asked for {site['live_bytes']}  Taken {site['live_allocated']}",
                f"Declared {site['file']}:{site['line']}")
        terminal.until("the site's numbers", lambda lines: all(any(text in line for line in lines) for text in told))
        terminal.type("qq")
        assert terminal.end() == 0
        assert terminal.screen.left


def once() -> None:
    """The table is sorted as requested."""
    rows = exercise.hold()
    whole = sum(row.bytes for row in rows)
    lines = [line.split() for line in run("--once", "--sort", "name").splitlines()[3:]]
    assert [line[:8] for line in lines] == [cells(row, whole) for row in sorted(rows, key=lambda row: row.name)], lines


def as_json() -> None:
    """JSON has the data of both files, and the metrics have the same numbers."""
    rows = exercise.hold()
    wanted = sites()
    read = json.loads(run("--json"))
    assert {row["name"]: (row["live"], row["bytes"]) for row in read["rows"]} == {
        row.name: (row.active, row.bytes) for row in rows}
    for row in read["rows"]:
        site = wanted[row["name"]]
        # Sampled values may differ a moment later.
        assert {**row["site"], **{name: site[name] for name in site if "peak" in name}} == site, (row, site)
    assert read["totals"]["bytes"] == sum(row.bytes for row in rows)
    metrics = exposition.samples(run("--prometheus"))
    assert exposition.values(metrics, "kalloc_allocations_total") == {name: site["allocs"] for name, site in wanted.items()}
    check_metrics(metrics, rows)


def check_metrics(metrics: dict[exposition.Key, int], rows: list[Row]) -> None:
    """The metrics have the numbers of the rows, and the name of the file."""
    assert {dict(labels)["source"] for _, labels in metrics} == {"/proc/kallocinfo"}
    for metric, wanted in (
            ("kalloc_active_objects", {row.name: row.active for row in rows}),
            ("kalloc_objects", {row.name: row.objects for row in rows}),
            ("kalloc_object_size_bytes", {row.name: row.size for row in rows}),
            ("kalloc_slabs", {row.name: row.slabs for row in rows}),
            ("kalloc_held_bytes", {row.name: row.bytes for row in rows})):
        assert exposition.values(metrics, metric) == wanted, (metric, wanted)


def keep(**workloads: int) -> None:
    """Makes these workloads keep the given numbers of blocks."""
    for name, kept in workloads.items():
        with open(exercise.CONTROL, "w", encoding="ascii") as control:
            control.write(f"{name} count=1 size=64 keep={kept}\n")


def differences() -> None:
    """--diff prints the growth of a workload, and nothing else."""
    exercise.hold()
    run("--json", "-o", "/run/before")
    grown = {"exercise_cache": 64, "exercise_pages": 3}
    then = table(exercise.read())
    for name, more in grown.items():
        kept = next(row.active for row in then if row.name == name) + more
        keep(**{name.removeprefix("exercise_"): kept})
    run("--json", "-o", "/run/after")
    lines = [line.split() for line in run("--diff", "/run/before", "/run/after").splitlines()[1:]]
    changed = {line[0]: int(line[2]) for line in lines if line[0] == "TOTAL" or line[2] != "0"}
    assert changed == grown | {"TOTAL": sum(grown.values())}, lines


@contextmanager
def stopped(program: "subprocess.Popen[str]") -> Iterator[None]:
    """Stops a program temporarily, if it has not ended."""
    program.send_signal(signal.SIGSTOP)
    while program.poll() is None and state(program.pid) != "T":
        time.sleep(0.001)
    try:
        yield
    finally:
        program.send_signal(signal.SIGCONT)


def state(pid: int) -> str:
    """Returns the state of a process, as ps(1) shows it."""
    with open(f"/proc/{pid}/stat", encoding="ascii") as stat:
        return stat.read().rpartition(")")[2].split()[0]


def leaks() -> None:
    """--leaks names the sites that grow or stay, and not those that shrink."""
    exercise.hold()
    keep(kvec=MOST, cache=LEAST)
    with subprocess.Popen([PROGRAM, "--leaks=1", "-d", "0.25"], stdout=subprocess.PIPE, text=True) as program:
        step = 0
        while program.poll() is None:
            step += 1
            # One step of each between any two readings, however slowly the program starts. The
            # program is stopped meanwhile: a workload frees its blocks before it allocates more,
            # and a reading must not see that.
            with stopped(program):
                keep(kvec=max(MOST - step, 1), cache=min(LEAST + step, MOST))
            time.sleep(0.05)
        assert program.stdout
        lines = [line.split() for line in program.stdout.read().splitlines()[1:]]
    found = {line[0]: line[2] for line in lines}
    assert set(found) == {row.name for row in exercise.rows()} - {"exercise_kvec"}, lines
    assert lines[0][0] == "exercise_cache" and int(lines[0][2]) > 0, lines
    assert all(grown == "0" for name, grown in found.items() if name != "exercise_cache"), lines
