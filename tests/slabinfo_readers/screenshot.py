# SPDX-License-Identifier: GPL-2.0-only
"""Runs in a guest: records a session of kalloctop while kalloc_exercise works, and prints it as an
SVG.
"""

import os
import random
import signal
import sys
import time
from typing import NoReturn

import exercise
import film
from terminal import Terminal

PICTURE = "/run/kalloctop.svg"
SIZE = (22, 118)
# The time in the session, in seconds, at which the film starts: every rate is known, and trends
# have a shape.
START = 4
AGE = f"for {START}s"
# The changes of the blocks that each workload keeps: the largest random change, and the growth of
# each step.
MOVES = {"kvec": (40, 0), "cache": (90, 8), "pages": (6, 0), "vbox": (1, 1), "kbox": (30, 2)}


def work() -> NoReturn:
    """Allocates and frees until it is killed."""
    chance = random.Random(1)
    step = 0
    while True:
        step += 1
        for name, (most, grows) in MOVES.items():
            kept = 20 + step * grows + chance.randrange(most)
            with open(exercise.CONTROL, "w", encoding="ascii") as control:
                control.write(f"{name} count={chance.randrange(1, 200)} size=900 keep={kept}\n")
        time.sleep(0.3)


def stay(terminal: Terminal, seconds: float) -> list[str]:
    """Waits, and returns the contents of the screen then."""
    deadline = time.monotonic() + seconds
    return terminal.until("some time", lambda lines: time.monotonic() > deadline)


def main() -> None:
    """Shows the table, sorted by two columns; the details of a row; the table again."""
    exercise.modprobe("kalloc_exercise")
    exercise.hold()
    worker = os.fork() or work()
    with Terminal("kalloctop", "-d", "1", "--record", PICTURE, size=SIZE) as terminal:
        for keys, seconds in (("", 6.0), ("g", 4.0), ("/cache\r", 1.0), ("\r", 4.0), ("q\x1b", 0.5), ("c", 6.0)):
            terminal.type(keys)
            stay(terminal, seconds)
        # Nothing must change between the returned screen and the end of the film.
        terminal.type(" ")
        lines = terminal.until("the pause", lambda lines: "PAUSED" in lines[0])
        terminal.type("q")
        assert terminal.end() == 0
    assert os.waitpid(worker, os.WNOHANG) == (0, 0), "the work has ended"
    os.kill(worker, signal.SIGKILL)
    with open(PICTURE, encoding="utf-8") as file:
        text = file.read()
    while lines and not lines[-1]:
        lines.pop()
    assert film.last(text) == lines, (film.last(text), lines)
    text = film.starting_at(text, START)
    first = film.pictures(text)[0]
    assert AGE in first[0] and film.last(text) == lines, first
    sys.stdout.write(text)


main()
