# SPDX-License-Identifier: GPL-2.0-only
"""Prometheus' node exporter: every row is in the metrics, with the file's numbers."""

import re
import socket
import subprocess
import time

import exercise
import exposition
import kalloctop
from slabinfo import Row

ADDRESS = ("127.0.0.1", 9100)
COMMAND = ("prometheus-node-exporter", "--collector.disable-defaults", "--collector.slabinfo",
           "--collector.textfile", f"--collector.textfile.directory={kalloctop.DIRECTORY}",
           "--web.listen-address={}:{}".format(*ADDRESS))
LOG = "/run/exporter.log"
METRIC = re.compile(r'node_slabinfo_(\w+)\{slab="([^"]*)"\} (\S+)')


def start() -> "subprocess.Popen[bytes]":
    """Starts the exporter; it takes a second to listen."""
    with open(LOG, "wb") as log:
        return subprocess.Popen(COMMAND, stdout=log, stderr=log)


def scrape() -> str:
    """Returns the answer of the exporter, once it is listening."""
    deadline = time.monotonic() + 30
    while True:
        try:
            with socket.create_connection(ADDRESS, timeout=10) as connection:
                connection.sendall(b"GET /metrics HTTP/1.0\r\n\r\n")
                answer = b""
                while data := connection.recv(1 << 16):
                    answer += data
            return answer.decode()
        except ConnectionRefusedError:
            if time.monotonic() > deadline:
                with open(LOG, encoding="utf-8") as log:
                    raise AssertionError(log.read()) from None
            time.sleep(0.1)


def metrics(row: Row) -> dict[tuple[str, str], float]:
    """Returns the metrics that the exporter must have for a row."""
    return {(name, row.name): float(value) for name, value in (
        ("active_objects", row.active), ("objects", row.objects), ("object_size_bytes", row.size),
        ("objects_per_slab", row.per_slab), ("pages_per_slab", row.pages))}


def check() -> None:
    """Scrapes twice, with other numbers. The exporter must accept the metrics that kalloctop has
    written for it.
    """
    for more in (3, 0):
        wanted: dict[tuple[str, str], float] = {}
        rows = exercise.hold(more)
        for row in rows:
            wanted |= metrics(row)
        if kalloctop.there():
            kalloctop.export()
        answer = scrape()
        assert 'node_scrape_collector_success{collector="slabinfo"} 1\n' in answer, answer
        said = {(name, slab): float(value) for name, slab, value in METRIC.findall(answer)}
        assert said == wanted, set(said.items()) ^ set(wanted.items())
        if kalloctop.there():
            assert "node_textfile_scrape_error 0\n" in answer, answer
            ours = [line for line in answer.splitlines() if re.match(r"kalloc_|# (HELP|TYPE) kalloc_", line)]
            kalloctop.check_metrics(exposition.samples("\n".join(ours) + "\n"), rows)
