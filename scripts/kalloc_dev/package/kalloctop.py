# SPDX-License-Identifier: GPL-2.0
"""kalloctop, the crates of tools/: the static program, its tests as programs, and what clippy says.

All of it is made at once and kept by a key of the sources: while those stay the same, nothing is built
again, nothing is downloaded, and the tests only run.
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
# The manual page and the completions, of the command line.
GENERATE = ("run", "--example", "generate", *COMMON, "--")
# The program that is shipped: slow to make, and quick.
DIST = ("build", "--profile", "dist", *COMMON[1:])
# What says something of the sources and leaves nothing to run.
JUDGES = {
    "clippy": ("clippy", "--all-targets", *COMMON, "--", "-D", "warnings"),
    "examples": ("test", "--doc", *COMMON),
}


def made() -> Path:
    """The folder with everything. Unreachable if the crates that it is made of cannot be had."""
    return store.entry(NAME, _key(), _make, gigabytes=GIGABYTES)


def program() -> Path:
    """The program, which needs nothing else."""
    return made() / "bin" / NAME


def program_if_made() -> Path | None:
    """The same, or None if somebody would have to wait for it."""
    folder = store.made(NAME, _key())
    return folder / "bin" / NAME if folder else None


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
    """Its tests; each runs them all."""
    return sorted((made() / "tests").iterdir())


def complaints(judge: str) -> str:
    """What one of the judges complains of: nothing, if all is well."""
    return (made() / judge).read_text()


def _key() -> str:
    """Changes when a source does."""
    calls = " ".join((*MAKE, *MAKE_TESTS, *GENERATE, *DIST, *(word for call in JUDGES.values() for word in call)))
    seen = hashlib.sha256(f"1 {calls} {crates.FLAGS}".encode())
    for path in sorted(SOURCE.rglob("*")):
        if path.is_file():
            seen.update(f"\0{path.relative_to(SOURCE)}\0".encode() + path.read_bytes())
    return seen.hexdigest()[:12]


def _make(folder: Path) -> None:
    log = CACHE / "log" / f"{NAME}-{folder.name.rpartition('-')[2]}.log"
    with step(f"building {NAME}", log):
        _cargo(MAKE, log)
        (folder / "bin").mkdir()
        _copy(_output() / NAME, folder / "bin" / NAME)
        _cargo(MAKE_TESTS, log)
        (folder / "tests").mkdir()
        for path in _executables(log):
            _copy(path, folder / "tests" / path.name.rpartition("-")[0])
        (folder / "generated").mkdir()
        _cargo((*GENERATE, str(folder / "generated")), log, folder)
        for judge, call in JUDGES.items():
            (folder / judge).write_text(_complaints(call, log))


def _make_optimized(folder: Path) -> None:
    log = CACHE / "log" / f"{NAME}-dist-{folder.name.rpartition('-')[2]}.log"
    with step(f"building {NAME} as it is shipped", log):
        _cargo(DIST, log)
        (folder / "bin").mkdir()
        _copy(_output("dist") / NAME, folder / "bin" / NAME)


def _output(profile: str = "release") -> Path:
    return BUILD / "tools" / crates.TARGET / profile


def _cargo(words: tuple[str, ...], log: Path, *binds: Path) -> None:
    # In the tree's own folder, so that after a change only what changed is compiled.
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
    """The test programs that cargo says it has made."""
    said = [json.loads(line) for line in log.read_text().splitlines() if line.startswith("{")]
    return [Path(one["executable"]) for one in said if one.get("executable") and one["profile"]["test"]]


def _copy(source: Path, to: Path) -> None:
    to.write_bytes(source.read_bytes())
    to.chmod(0o755)
