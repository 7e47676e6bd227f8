# SPDX-License-Identifier: GPL-2.0-only
"""kalloctop, the crates of tools/: the program, its tests, and the results of clippy.

All of it is made at once, and stored under a key of the sources. While these do not change, nothing
is built or downloaded again, and the tests only run.
"""

import hashlib
import json
import shutil
from pathlib import Path

from kalloc_dev.core import store
from kalloc_dev.core.paths import BUILD, CACHE, TREE
from kalloc_dev.toolchain import crates
from rust_kbuild.console import Failure, step

SOURCE = TREE / "tools"
NAME = "kalloctop"
GIGABYTES = 0.7

COMMON = ("--release", "--locked", "--target", crates.TARGET)
MAKE = ("build", *COMMON)
MAKE_TESTS = ("test", "--no-run", "--message-format=json-render-diagnostics", *COMMON)
# The generator of the manual page and the completions from the command line.
GENERATE = ("run", "--example", "generate", *COMMON, "--")
# The optimized program of the packages, which is slow to build.
DIST = ("build", "--profile", "dist", *COMMON[1:])
# The checks of the sources, which leave no program.
JUDGES = {
    "clippy": ("clippy", "--all-targets", *COMMON, "--", "-D", "warnings"),
    "examples": ("test", "--doc", *COMMON),
}


def made() -> Path:
    """Returns the directory with all results.

    Raises Unreachable if the crates cannot be downloaded.
    """
    return store.entry(NAME, _key(), _make, gigabytes=GIGABYTES)


def program() -> Path:
    """Returns the static program."""
    return made() / "bin" / NAME


def program_if_made() -> Path | None:
    """Returns the program if it is built already, or None."""
    directory = store.made(NAME, _key())
    return directory / "bin" / NAME if directory else None


def optimized() -> Path:
    """Returns the program as it is shipped."""
    return store.entry(f"{NAME}-dist", _key(), _make_optimized, gigabytes=0.1) / "bin" / NAME


def bring() -> list[Path]:
    """Puts the shipped program, its manual page and its completions into build/."""
    BUILD.mkdir(exist_ok=True)
    copy = BUILD / NAME
    # The old copy may be running, and cannot be overwritten.
    copy.unlink(missing_ok=True)
    shutil.copy2(optimized(), copy)
    shutil.rmtree(BUILD / "generated", ignore_errors=True)
    shutil.copytree(generated(), BUILD / "generated")
    return [copy, *sorted((BUILD / "generated").iterdir())]


def generated() -> Path:
    """Returns the directory with the manual page and the completions."""
    return made() / "generated"


def tests() -> list[Path]:
    """Returns its test programs; each runs all its cases."""
    return sorted((made() / "tests").iterdir())


def complaints(judge: str) -> str:
    """Returns the complaints of one of the checks, or an empty string."""
    return (made() / judge).read_text()


def _key() -> str:
    """Returns a key that changes when a source changes."""
    calls = " ".join((*MAKE, *MAKE_TESTS, *GENERATE, *DIST, *(word for call in JUDGES.values() for word in call)))
    seen = hashlib.sha256(f"1 {calls} {crates.FLAGS}".encode())
    for path in sorted(SOURCE.rglob("*")):
        if path.is_file():
            seen.update(f"\0{path.relative_to(SOURCE)}\0".encode() + path.read_bytes())
    return seen.hexdigest()[:12]


def _make(directory: Path) -> None:
    log = CACHE / "log" / f"{NAME}-{directory.name.rpartition('-')[2]}.log"
    with step(f"building {NAME}", log):
        _cargo(MAKE, log)
        (directory / "bin").mkdir()
        _copy(_output() / NAME, directory / "bin" / NAME)
        _cargo(MAKE_TESTS, log)
        (directory / "tests").mkdir()
        for path in _executables(log):
            _copy(path, directory / "tests" / path.name.rpartition("-")[0])
        (directory / "generated").mkdir()
        _cargo((*GENERATE, str(directory / "generated")), log, directory)
        for judge, call in JUDGES.items():
            (directory / judge).write_text(_complaints(call, log))


def _make_optimized(directory: Path) -> None:
    log = CACHE / "log" / f"{NAME}-dist-{directory.name.rpartition('-')[2]}.log"
    with step(f"building {NAME} as it is shipped", log):
        _cargo(DIST, log)
        (directory / "bin").mkdir()
        _copy(_output("dist") / NAME, directory / "bin" / NAME)


def _output(profile: str = "release") -> Path:
    return BUILD / "tools" / crates.TARGET / profile


def _cargo(words: tuple[str, ...], log: Path, *binds: Path) -> None:
    # In a directory of the tree, so that cargo compiles only changed crates.
    target = BUILD / "tools"
    target.mkdir(parents=True, exist_ok=True)
    crates.cargo(words, SOURCE, log, {"CARGO_TARGET_DIR": str(target)}, binds=[target, *binds])


def _complaints(call: tuple[str, ...], log: Path) -> str:
    start = log.stat().st_size
    try:
        _cargo(call, log)
    except crates.Unreachable:
        raise
    except Failure:
        return log.read_bytes()[start:].decode(errors="replace")
    return ""


def _executables(log: Path) -> list[Path]:
    """Returns the test programs in cargo's output."""
    said = [json.loads(line) for line in log.read_text().splitlines() if line.startswith("{")]
    return [Path(one["executable"]) for one in said if one.get("executable") and one["profile"]["test"]]


def _copy(source: Path, to: Path) -> None:
    to.write_bytes(source.read_bytes())
    to.chmod(0o755)
