# SPDX-License-Identifier: GPL-2.0-only
"""The crate's protocols between CPUs as litmus tests, for herd7 with the kernel's memory model.

Each file of tests/models/ has a protocol, and three fields in its comment. Result: is the required
verdict of herd7 on the outcome. Code: is the file, function and text of each access or barrier in
the crate. Weaker: is a replacement of text that removes an order, after which the outcome must be
possible.
"""

import argparse
import re
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from kalloc_dev.core import sandbox, store
from kalloc_dev.core.git import files
from kalloc_dev.core.paths import BUILD, CACHE, LOGS, TREE
from kalloc_dev.kernel.debian import debian
from kalloc_dev.test.result import Case, again, said, status
from kalloc_dev.toolchain.apt import explained, mmdebstrap
from rust_kbuild.console import Failure, run, step

MODELS = TREE / "tests" / "models"
# The release of the other tools has no herdtools7.
SUITE, PACKAGES = "forky", ("herdtools7",)
# A mirror of an unreleased suite may lag behind for longer than its index is valid. Its signature
# is still checked.
STALE = '--aptopt=Acquire::Check-Valid-Until "false"'
GIGABYTES = 0.6
NEVER, SOMETIMES = "Never", "Sometimes"

FIELD = re.compile(r"^ \* (Result|Code|Weaker): (.*)$", re.M)
PLACE = re.compile(r"(rust/\S+): (\w+): (.+)")
WEAKER = re.compile(r"([^:]+): (.*\S) =>(?: (.*))?")
OBSERVED = re.compile(r"^Observation (\S+) (\w+)", re.M)
# An access or a barrier that orders other accesses.
ORDERS = re.compile(r"Ordering::(Acquire|Release|AcqRel|SeqCst)\b|[(, ](Acquire|Release|Full)\)")


@dataclass(frozen=True)
class Model:
    """A protocol, its required verdict, its places in the crate, and the ways to weaken it."""

    name: str
    text: str
    result: str
    places: list[tuple[str, str, str]]
    weaker: list[tuple[str, str]]

    def variants(self) -> Iterator[tuple[str, str, str]]:
        """Yields the inputs of herd7: a name, the text, and the right result."""
        yield self.name, self.text, self.result
        for name, text in self.weaker:
            yield name, text, SOMETIMES


def read(path: Path) -> Model:
    """Parses a file; fails if a field is missing or malformed."""
    text, name = path.read_text(), path.stem
    fields = FIELD.findall(text)

    def require(condition: object, problem: str) -> None:
        if not condition:
            raise Failure(f"{path.name}: {problem}")

    require(text.startswith(f"C {name}\n"), "its first line is not its name")
    results = [value for kind, value in fields if kind == "Result"]
    require(results == [NEVER], "it has not one Result: Never")
    head, _, body = text.partition(" *)\n")
    places: list[tuple[str, str, str]] = []
    weaker: list[tuple[str, str]] = []
    for kind, value in fields:
        if kind == "Code":
            place = PLACE.fullmatch(value)
            require(place, f"not a file, a function and a text: {value}")
            places.append((place[1], place[2], place[3]) if place else ("", "", ""))
        elif kind == "Weaker":
            change = WEAKER.fullmatch(value)
            old, new = (_plain(change[2]), _plain(change[3] or "")) if change else ("", "")
            require(change and body.count(old) == 1, f"not a name, and what replaces a text that is there once: {value}")
            label = f"{name}+{change[1].replace(' ', '-')}" if change else ""
            weaker.append((label, f"C {label}\n" + head.partition("\n")[2] + " *)\n" + body.replace(old, new)))
    require(places and weaker, "it has no Code: or no Weaker:")
    return Model(name, text, NEVER, places, weaker)


def _plain(text: str) -> str:
    return text.replace("\\n", "\n").replace("\\t", "\t")


def every() -> list[Model]:
    """Returns all protocols."""
    return [read(path) for path in sorted(MODELS.glob("*.litmus"))]


def function(text: str, name: str) -> list[range]:
    """Returns the lines of each function of this name, in Rust or in C."""
    lines, found = text.splitlines(), []
    for start, line in enumerate(lines):
        head = re.match(rf"(\s*)(.*\bfn {name}\b|[a-z].*\b{name}\(.*\)$)", line)
        if head:
            end = next((number for number, later in enumerate(lines[start:], start) if later == f"{head[1]}}}"), start)
            found.append(range(start, end + 1))
    return found


def strays(models: list[Model]) -> Iterator[str]:
    """Names accesses of models that the crate lacks, and orders of the crate without a model."""
    known: dict[str, set[int]] = {}
    for model in models:
        for file, name, token in model.places:
            path = TREE / file
            text = path.read_text() if path.is_file() else ""
            lines = text.splitlines()
            there = [number for span in function(text, name) for number in span if token in lines[number]]
            if not there:
                yield f"{model.name}: {file} has no {token} in {name}()"
            known.setdefault(file, set()).update(there)
    for path in files("rust/*.rs"):
        file = str(path.relative_to(TREE))
        for number, line in enumerate(path.read_text().splitlines()):
            if ORDERS.search(line) and not re.match(r"\s*//", line) and number not in known.get(file, ()):
                yield f"{file}:{number + 1}: no model has {line.strip()}"


def root() -> Path:
    """Returns the root directory with herd7."""
    return store.entry("herd", store.key_of(SUITE, *PACKAGES), _make_root, gigabytes=GIGABYTES) / "root"


def _make_root(directory: Path) -> None:
    with step(f"installing {' '.join(PACKAGES)}", CACHE / "log" / "herd.log") as log:
        try:
            run(mmdebstrap("--variant=apt", STALE, f"--include={','.join(PACKAGES)}", SUITE, directory / "root"), log,
                "mmdebstrap")
        except Failure as failure:
            raise explained(failure) from failure


def judged(models: list[Model], log: Path) -> dict[str, str]:
    """Returns the verdict of herd7 on each variant."""
    directory = BUILD / "models"
    directory.mkdir(parents=True, exist_ok=True)
    for old in directory.glob("*.litmus"):
        old.unlink()
    paths = []
    for model in models:
        for name, text, _ in model.variants():
            paths.append(directory / f"{name}.litmus")
            paths[-1].write_text(text)
    kernel = debian() / "linux/tools/memory-model"
    environment = {"PATH": "/usr/bin:/bin", "LANG": "C.UTF-8"}
    call = sandbox.inside(root(), ["herd7", "-conf", "linux-kernel.cfg", *map(str, paths)], kernel, environment,
                          [kernel, directory])
    done = subprocess.run(call, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          check=False)
    log.parent.mkdir(parents=True, exist_ok=True)
    log.write_text(done.stdout)
    if done.returncode:
        raise Failure(f"herd7 failed with status {done.returncode}", log)
    return dict(OBSERVED.findall(done.stdout))


def arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the command's options."""
    parser.add_argument("names", metavar="NAME", nargs="*", help="the models (default: all)")


def main(options: argparse.Namespace) -> int:
    """Checks the models of these names, or all; returns status 1 if one has a wrong result."""
    names = options.names
    models = every()
    known = {model.name for model in models}
    if unknown := sorted(set(names) - known):
        raise Failure(f"no model {' or '.join(unknown)}: there are {', '.join(sorted(known))}", status=2)
    chosen = [model for model in models if not names or model.name in names]
    log = LOGS / "models.log"
    results = judged(chosen, log)
    cases = [Case(name, "passed" if results.get(name) == right else "failed",
                  "" if results.get(name) == right else f"    {results.get(name, 'nothing')}, not {right}\n    log: {log}\n")
             for model in chosen for name, _, right in model.variants()]
    if not names:
        complaints = list(strays(models))
        cases.append(Case("the crate is as the models", "failed" if complaints else "passed",
                          "".join(f"    {complaint}\n" for complaint in complaints)))
    for case in cases:
        print(f"{case.outcome:8}{case.name}")
    print(again(cases) + said(cases))
    return status(cases)
