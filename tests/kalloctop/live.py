# SPDX-License-Identifier: GPL-2.0-only
"""kalloctop on a pseudo-terminal: the contents of the screen, and the restored terminal after every
kind of exit.
"""

import os
import signal
import termios
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from xml.etree import ElementTree

import film
from given import Given
from screen import COLUMNS, LINES
from shown import size as in_words
from terminal import Terminal

# The color of labels in a recording.
CYAN = "#56b6c2"


@contextmanager
def started(given: Given, *words: str, delay: str = "0.2", size: tuple[int, int] = (LINES, COLUMNS),
            **env: str) -> Iterator[Terminal]:
    """Runs the program; it must restore the terminal."""
    keyboard, end = os.openpty()
    # The settings of a new terminal.
    before = termios.tcgetattr(keyboard)
    os.close(keyboard)
    os.close(end)
    with Terminal(given.program, "-d", delay, *words, given.file, size=size, LANG="C.UTF-8", **env) as terminal:
        terminal.until("the rows", lambda lines: any(line.startswith("dentry") for line in lines))
        assert not terminal.screen.left
        assert termios.tcgetattr(terminal.keyboard) != before
        yield terminal
        assert terminal.screen.left, "the screen is not as it was"
        assert termios.tcgetattr(terminal.keyboard) == before, "the terminal is not as it was"


def names(lines: list[str]) -> list[str]:
    """Returns the names below the headings."""
    heads = [number for number, line in enumerate(lines) if line.startswith("NAME")]
    return [line.split()[0] for line in lines[heads[0] + 1:-1] if line] if heads else []


def follows(given: Given) -> None:
    """Numbers follow the file, keys select and sort."""
    given.put()
    with started(given, "--sites", given.sites) as terminal:
        rows = given.put(vector=3)
        terminal.until("three more", lambda lines: any(
            line.startswith("vector") and f" {rows[3].active} " in line and in_words(rows[3].bytes) in line for line in lines))
        for keys, wanted in (("n", ["big", "dentry", "idle", "vector"]), ("r", ["vector", "idle", "dentry", "big"]),
                             ("ra", ["dentry", "vector", "big", "idle"]), ("/VEC\r", ["vector"])):
            terminal.type(keys)
            terminal.until(keys, lambda lines, to=wanted: names(lines) == to)  # type: ignore[misc]
        terminal.type("\r")
        terminal.until("details", lambda lines: "Module driver  Declared driver.rs:7" in lines)
        os.rename(given.file, given.file + ".gone")
        terminal.until("what is wrong", lambda lines: "No such file or directory" in lines[1])
        os.rename(given.file + ".gone", given.file)
        terminal.until("all well again", lambda lines: "No such file or directory" not in lines[1])
        terminal.type("q?")
        terminal.until("the help", lambda lines: "Keys" in lines)
        terminal.type("qq")
        assert terminal.end() == 0


def colours(given: Given) -> None:
    """Colors are used, unless the user has disabled them."""
    path = str(given.directory / "colours.svg")
    for unwanted in ("", "1"):
        with started(given, "--record", path, NO_COLOR=unwanted) as terminal:
            terminal.type("q")
            assert terminal.end() == 0
            assert terminal.screen.coloured != bool(unwanted), unwanted
        with open(path, encoding="utf-8") as file:
            assert (CYAN in file.read()) != bool(unwanted), unwanted


def resizes(given: Given) -> None:
    """A resized terminal shows the same as one that always had its size."""
    # The program does not wait for the next reading.
    sizes = ((10, 40), (60, 200), (24, 80))
    wanted = []
    for of in sizes:
        with started(given, delay="600", size=of) as terminal:
            wanted.append(terminal.until("the keys", whole))
            terminal.type("q")
            terminal.end()
    with started(given, delay="600") as terminal:
        for of, to in zip(sizes, wanted):
            # This holds for any smaller size in between, whether or not the program has seen it.
            terminal.resize(3, 12)
            terminal.resize(*of)
            terminal.until(f"{of}", lambda lines, to=to: lines[1:] == to[1:])  # type: ignore[misc]
        terminal.resize(3, 12)
        terminal.until("its name", lambda lines: len(lines) == 3 and lines[0].startswith("kalloctop"))
        terminal.type("q")
        assert terminal.end() == 0


def whole(lines: list[str]) -> bool:
    """Returns whether a screen is drawn to its last line, which lists the keys."""
    return lines[0].startswith("kalloctop") and lines[-1] != "" and len(names(lines)) >= 3


def quits(given: Given) -> None:
    """A key or a signal ends the program; after a signal, the status is that of the signal."""
    for key in ("q", "\x03"):
        with started(given) as terminal:
            terminal.type(key)
            assert terminal.end() == 0
    for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT, signal.SIGQUIT):
        with started(given) as terminal:
            terminal.signal(number)
            assert terminal.end() == -number


def stops(given: Given) -> None:
    """Ctrl-Z restores the terminal; the continued program resumes."""
    with started(given) as terminal:
        terminal.type("\x1a")
        terminal.stopped()
        assert terminal.screen.left
        terminal.signal(signal.SIGCONT)
        terminal.until("the rows again", lambda lines: not terminal.screen.left and "dentry" in names(lines))
        terminal.type("q")
        assert terminal.end() == 0


def hangs_up(given: Given) -> None:
    """The program ends when the terminal is closed."""
    with Terminal(given.program, "-d", "0.2", given.file) as terminal:
        terminal.until("the rows", lambda lines: any(line.startswith("dentry") for line in lines))
        terminal.hang_up()
        # A write may fail before the signal arrives.
        assert terminal.end() in (-signal.SIGHUP, 1)


def records(given: Given) -> None:
    """--record writes the session, also after a signal; its last picture is the last screen."""
    for ending, number in ((".svg", 0), (".html", 0), (".svg", signal.SIGTERM)):
        path = str(given.directory / f"film{ending}")
        with started(given, "--record", path) as terminal:
            terminal.type("n")
            terminal.until("sorted", lambda lines: names(lines) == ["big", "dentry", "idle", "vector"])
            terminal.type(" ")
            lines = terminal.until("the pause", lambda lines: "PAUSED" in lines[0])
            if number:
                terminal.signal(number)
            else:
                terminal.type("q")
            assert terminal.end() == -number
        with open(path, encoding="utf-8") as file:
            text = file.read()
        if ending == ".svg":
            ElementTree.fromstring(text)
        assert film.last(text) == "\n".join(lines).rstrip().split("\n"), (film.last(text), lines)
        assert "vector" in text and "<script>" not in text.partition("</svg>")[0]
        os.unlink(path)
    assert "ends in .svg or .html" in refused(given)


def keeps_the_pause(given: Given) -> None:
    """A path that is wider than the screen hides neither its own end nor the pause."""
    below = given.directory / "/".join(["directory"] * 20)
    below.mkdir(parents=True)
    path = below / "slabinfo"
    path.write_bytes(Path(given.file).read_bytes())
    with Terminal(given.program, "-d", "0.2", str(path)) as terminal:
        terminal.until("the rows", whole)
        terminal.type(" ")
        terminal.until("the pause", lambda lines: "/slabinfo  every" in lines[0] and lines[0].endswith("PAUSED"))
        terminal.type("q")
        assert terminal.end() == 0


def refused(given: Given) -> str:
    """An unsupported file extension is rejected before the terminal is changed."""
    with Terminal(given.program, "--record", "film.gif", given.file) as terminal:
        assert terminal.end() == 1
        assert terminal.screen.left
        return "\n".join(terminal.screen.text())


PARTS = (follows, colours, resizes, quits, stops, hangs_up, records, keeps_the_pause)
