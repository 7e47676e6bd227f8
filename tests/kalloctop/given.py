# SPDX-License-Identifier: GPL-2.0-only
"""Input files for kalloctop, and the program."""

import json
import os
import subprocess
from pathlib import Path

from slabinfo import HEADER, Row

# Name, live, objects, size, objects per slab, pages per slab, slabs.
ROWS = (("dentry", 736, 840, 192, 21, 1, 40), ("big cache", 3, 8, 8192, 4, 8, 2), ("idle", 0, 0, 64, 64, 1, 0),
        ("vector", 40, 64, 256, 16, 1, 4))
SITE = (
    '{{"name":"vector","family":"kmalloc","type":"[u64]","module":"driver","file":"driver.rs","line":7,"unit":0,'
    '"live":{live},"allocs":{allocs},"frees":{frees},"failures":{{"no_memory":1,"no_wait":2,"invalid":3}},'
    '"live_bytes":9000,"live_allocated":10240,"peak":50,"peak_bytes":12000,"peak_allocated":12800,'
    '"sizes":[{{"up_to":256,"allocs":{allocs},"frees":{frees}}}],'
    '"cpus":[{{"cpu":1,"allocs":{allocs},"frees":{frees}}}]}}\n')


def rows(**more: int) -> list[Row]:
    """Returns the rows with additional live objects; each needs a slab of its own."""
    extra = [more.get(row[0].replace(" ", "_"), 0) for row in ROWS]
    return [Row(name, live + add, objects + add, size, per_slab, pages, slabs + add, slabs + add)
            for (name, live, objects, size, per_slab, pages, slabs), add in zip(ROWS, extra)]


def slabinfo(found: list[Row]) -> str:
    """Returns the text of these rows."""
    return HEADER + "".join(
        f"{row.name} {row.active} {row.objects} {row.size} {row.per_slab} {row.pages} : tunables 0 0 0 : "
        f"slabdata {row.active_slabs} {row.slabs} 0\n" for row in found)


def site(live: int, allocs: int) -> str:
    """Returns a line of sites.json."""
    return SITE.format(live=live, allocs=allocs, frees=allocs - live)


def call(name: str, function: str, live: int) -> str:
    """Returns a line of watch.json."""
    return json.dumps({
        "name": name, "family": "kmalloc", "type": "", "module": name.partition("/")[0], "file": "", "line": 0, "unit": 0,
        "live": live, "allocs": 100, "frees": 100 - live, "failures": {"no_memory": 0, "no_wait": 0, "invalid": 0},
        "live_bytes": 64 * live, "live_allocated": 64 * live, "peak": live, "peak_bytes": 64 * live,
        "peak_allocated": 64 * live, "frees_elsewhere": 1, "lost": 0, "function": function, "offset": 28, "sizes": []}) + "\n"


class Given:
    """A directory with a slabinfo file and its sites, and the program that reads them."""

    def __init__(self, program: Path, directory: Path) -> None:
        self.program = str(program)
        self.directory = directory
        self.file = str(directory / "slabinfo")
        self.sites = str(directory / "sites.json")
        self.put()
        self.write(self.sites, site(40, 100))

    def write(self, path: str, text: str) -> None:
        """Writes a file atomically, so that no reader sees a part of it."""
        new = self.directory / "new"
        new.write_text(text)
        os.replace(new, path)

    def put(self, **more: int) -> list[Row]:
        """Adds live objects to the file; returns the rows."""
        found = rows(**more)
        self.write(self.file, slabinfo(found))
        return found

    def run(self, *words: str, status: int = 0, text: str | None = None) -> str:
        """Returns the output of the program; for a status other than 0, its error message."""
        done = subprocess.run([self.program, *words], capture_output=True, text=True, check=False, input=text,
                              timeout=60, env=os.environ | {"LANG": "C.UTF-8"})
        assert done.returncode == status, (words, done)
        assert bool(done.stderr) == bool(status), (words, done)
        assert not status or not done.stdout, (words, done)
        return done.stderr if status else done.stdout
