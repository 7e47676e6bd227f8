# SPDX-License-Identifier: GPL-2.0-only
"""Mutants: defects that are planted to check that a test detects them.

Each is a patch, tests/defects/NAME.patch, with a description, the command that must fail (Test:),
and the text that its output must contain (Says:, a regular expression). The patch is applied to a
copy of the tree, which keeps its object files from one mutant to the next. Without any mutant the
commands must pass, because their failure would otherwise prove nothing. Commands that only choose
cases of one program then run as one.

An emulated guest takes long to boot. `--together` plants all mutants of such a program at once.
Each is recognized by the output about it, for which Says: contains the name of its case. A mutant
can hide another one: those that are not noticed are planted again, without those that are.
"""

import argparse
import os
import re
import shlex
import shutil
import subprocess
import time
from collections.abc import Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from math import inf
from pathlib import Path

from kalloc_dev.core import process, store
from kalloc_dev.core.git import files
from kalloc_dev.core.paths import BUILD, LOGS, TREE
from kalloc_dev.test.result import SKIP, Case, again, late, said, status
from kalloc_dev.test.runner import collect
from rust_kbuild.console import Failure, say, tail

PATCHES = TREE / "tests" / "defects"
COPY = BUILD / "defects" / "tree"
# The tag is split, because the reuse tool would otherwise take it for this file's.
HEADER = re.compile(r"SPDX-License-" r"Identifier: \S+\n\n(?P<what>\S.*?)\n\nTest: (?P<test>\S.*)\nSays: (?P<says>\S.*)\n"
                    r"---\n(?=diff )", re.S)
# The messages of the commands about a failed compiler or make.
UNBUILT = re.compile(r"^error: \S+ failed with status \d+ \(log: ", re.M)
# The generated directories in a tree, besides build/ at its top.
MADE = ("__pycache__",)
SECONDS = 1200.0
# The test command, and its modules in which several cases can be chosen at once.
TEST = ("scripts/kalloc", "test")
CHOOSERS = ("kunit", "sheaves", "compile_fail")


@dataclass(frozen=True)
class Defect:
    """A mutant, and the command that must detect it."""

    name: str
    path: Path
    what: str
    test: str
    says: re.Pattern[str]
    changes: list[str]


def read(path: Path) -> Defect:
    """Parses a patch's header."""
    text = path.read_text()
    header = HEADER.match(text)
    if not header:
        raise Failure(f"{path.name} does not begin with a licence, what it is, Test: and Says:")
    try:
        says = re.compile(header["says"], re.M)
    except re.error as error:
        raise Failure(f"{path.name}: Says: is no regular expression: {error}") from error
    return Defect(path.stem, path, " ".join(header["what"].split()), header["test"], says,
                  re.findall(r"^\+\+\+ b/(.*)$", text, re.M))


def unfit() -> Iterator[str]:
    """Names the faults of the patches."""
    for path in sorted(PATCHES.glob("*.patch")):
        try:
            defect = read(path)
        except Failure as failure:
            yield str(failure)
            continue
        if not (TREE / shlex.split(defect.test)[0]).is_file():
            yield f"{path.name}: there is no {shlex.split(defect.test)[0]}"
        if problem := git_apply(path, TREE, "--check"):
            yield f"{path.name} does not apply: {problem}"


def git_apply(patch: Path, tree: Path, *options: str) -> str:
    """Applies a patch to a tree, which need not be a repository; returns git's complaints."""
    # Without a repository, paths are relative to the directory.
    env = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    env["GIT_CEILING_DIRECTORIES"] = str(tree.parent)
    done = subprocess.run(["git", "apply", *options, patch], cwd=tree, env=env, capture_output=True, text=True, check=False)
    return ("; ".join(done.stderr.splitlines()) or f"status {done.returncode}") if done.returncode else ""


def refresh(copy: Path) -> None:
    """Updates the copy from the tree; unchanged files and their object files remain."""
    known = set()
    for path in files():
        here = copy / path.relative_to(TREE)
        known.add(here)
        if here.is_file() and here.read_bytes() == path.read_bytes() and here.stat().st_mode == path.stat().st_mode:
            continue
        here.parent.mkdir(parents=True, exist_ok=True)
        # Without the times: an object file of a replaced source must be built again, even if the
        # new source is older.
        shutil.copy(path, here)
    for directory, directories, names in os.walk(copy):
        directories[:] = [name for name in directories if name not in MADE and Path(directory, name) != copy / "build"]
        for gone in {Path(directory, name) for name in names} - known:
            gone.unlink()


def run(command: str, tree: Path, log: Path) -> int:
    """Runs a command of the tree; returns its status."""
    program, *words = shlex.split(command)
    return process.run([tree / program, *words], log, tree, SECONDS)


@contextmanager
def planted(defect: Defect, tree: Path) -> Iterator[str]:
    """Plants the mutant during a block; yields git's complaints if it does not apply."""
    problem = git_apply(defect.path, tree)
    try:
        yield problem
    finally:
        if not problem and (left := git_apply(defect.path, tree, "--reverse")):
            raise Failure(f"{defect.name} cannot be taken back: {left}")


def control(test: str, number: int, tree: Path) -> Iterator[Case]:
    """Runs a command without any mutant."""
    log = LOGS / f"defect-none-{number}.log"
    say(f"==> {test}, without a defect … (log: {log})")
    ended = run(test, tree, log)
    yield Case(f"no defect: {test}", {0: "passed", SKIP: "skipped"}.get(ended, "failed"),
               f"{tail(log)}\n    log: {log}\n" if ended else "")


def noticed(defect: Defect, tree: Path) -> Iterator[Case]:
    """Runs a command with a mutant."""
    log = LOGS / f"defect-{defect.name}.log"
    say(f"==> {defect.name}: {defect.what} … (log: {log})")
    with planted(defect, tree) as problem:
        if problem:
            yield Case(defect.name, "failed", f"    the patch does not apply: {problem}\n")
            return
        ended = run(defect.test, tree, log)
    text = log.read_text(errors="replace")
    where = f"    test: {defect.test}\n    log: {log}\n"
    if UNBUILT.search(text):
        yield Case(defect.name, "failed", f"{tail(log)}\n    it is not noticed, but does not compile\n{where}")
    elif ended == 0:
        yield Case(defect.name, "failed", f"    the test passes all the same\n{where}")
    elif not defect.says.search(text):
        yield Case(defect.name, "failed", f"{tail(log)}\n    the test fails, but does not say {defect.says.pattern}\n{where}")
    else:
        yield Case(defect.name, "passed")


def together(defects: list[Defect], tree: Path) -> Iterator[Case]:
    """Runs a command with all of these mutants.

    One that changes the same lines as an earlier one waits for a later turn, and so does one that
    is not noticed, because another one may hide it.
    """
    applied: list[Defect] = []
    later: list[Defect] = []
    unfit: dict[str, str] = {}
    with ExitStack() as stack:
        for defect in defects:
            problem = stack.enter_context(planted(defect, tree))
            if not problem:
                applied.append(defect)
            elif applied:
                later.append(defect)
            else:
                unfit[defect.name] = problem
        if applied:
            log = LOGS / f"defect-together-{applied[0].name}.log"
            test = merged(defect.test for defect in applied)
            say(f"==> {', '.join(defect.name for defect in applied)}: {test} … (log: {log})")
            ended = run(test, tree, log)
    for name, problem in unfit.items():
        yield Case(name, "failed", f"    the patch does not apply: {problem}\n")
    if not applied:
        return
    text = log.read_text(errors="replace")
    missed = applied if UNBUILT.search(text) or ended == 0 else [
        defect for defect in applied if not defect.says.search(text)]
    for defect in applied:
        if defect not in missed:
            yield Case(defect.name, "passed")
        elif len(applied) == 1:
            yield Case(defect.name, "failed", f"    status {ended}, and nothing says {defect.says.pattern}\n    log: {log}\n")
        elif missed == applied:
            yield from together([defect], tree)
    if left := [*(missed if missed != applied else []), *later]:
        yield from together(left, tree)


def kind(test: str) -> str:
    """Returns the module of a test that only chooses cases of one, and otherwise the test."""
    words = shlex.split(test)
    modules = {word.partition(":")[0] for word in words[2:]}
    only = tuple(words[:2]) == TEST and len(modules) == 1 and all(":" in word for word in words[2:])
    return modules.pop() if only and modules <= set(CHOOSERS) else test


def merged(tests: Iterable[str]) -> str:
    """Returns one command for tests of the same kind."""
    words = [shlex.split(test) for test in tests]
    return shlex.join([words[0][0], *dict.fromkeys(word for _, *some in words for word in some)])


def every(defects: list[Defect], tree: Path, end: float = inf, at_once: bool = False) -> Iterator[Case]:
    """Yields all cases: the commands alone, then the mutants of those that pass, until `end`."""
    passes: dict[str, str] = {}
    kinds: dict[str, list[Defect]] = {}
    for defect in defects:
        kinds.setdefault(kind(defect.test), []).append(defect)
    for number, some in enumerate(kinds.values(), start=1):
        test = merged(defect.test for defect in some)
        own, _ = collect(lambda test=test, number=number: control(test, number, tree))  # type: ignore[misc]
        passes |= {defect.test: own[0].outcome for defect in some}
        yield from own
    for name, some in kinds.items():
        if at_once and name in CHOOSERS and passes[some[0].test] == "passed":
            own, _ = collect(lambda some=some: together(some, tree))  # type: ignore[misc]
            yield from own
            defects = [defect for defect in defects if defect not in some]
    for defect in defects:
        if time.monotonic() > end:
            own, _ = collect(lambda defect=defect: late(defect.name))  # type: ignore[misc]
        elif passes[defect.test] == "passed":
            own, _ = collect(lambda defect=defect: noticed(defect, tree))  # type: ignore[misc]
        else:
            own, _ = collect(lambda defect=defect: iter([Case(  # type: ignore[misc]
                defect.name, "skipped", "    its test does not pass without it\n")]))
        yield from own


def arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the command's options."""
    parser.add_argument("names", metavar="NAME", nargs="*", help="the mutants (default: all)")
    parser.add_argument("--minutes", type=float, default=inf, metavar="N",
                        help="time limit after which the remaining mutants are skipped (default: no limit)")
    parser.add_argument("--together", action="store_true",
                        help="plant at once all mutants for KUnit's cases or the compiler: faster, and less strict")


def main(options: argparse.Namespace) -> int:
    """Plants the mutants of these names, or all; returns status 1 if one survives."""
    names, end = options.names, time.monotonic() + 60 * options.minutes
    known = {path.stem: path for path in sorted(PATCHES.glob("*.patch"))}
    if unknown := set(names) - set(known):
        raise Failure(f"no defect {' or '.join(sorted(unknown))}: there are {', '.join(known)}", status=2)
    # Mutants that change the same files are neighbors: dependent files are then built once less.
    defects = sorted((read(path) for name, path in known.items() if not names or name in names),
                     key=lambda defect: defect.changes)
    with store.lock(COPY.with_name("lock")):
        say(f"==> a copy of the tree in {COPY}")
        refresh(COPY)
        cases = list(every(defects, COPY, end, options.together))
    print(again(cases) + said(cases))
    return status(cases)
