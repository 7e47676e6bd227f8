# SPDX-License-Identifier: GPL-2.0-only
"""The checks of `make check`: linters, and rules of this tree."""

import hashlib
import os
import re
import subprocess
import time
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from textwrap import indent

from kalloc_dev.bench import record
from kalloc_dev.core import store
from kalloc_dev.core.git import files
from kalloc_dev.core.paths import BUILD, LOGS, TREE
from kalloc_dev.core.prepare import set_up
from kalloc_dev.doc import doctests, sphinx, tutorial
from kalloc_dev.export import series as exported
from kalloc_dev.export.targets import TARGETS
from kalloc_dev.lint import frames as stack_frames
from kalloc_dev.lint import gfp_flags, layers, messages
from kalloc_dev.lint import hazards as evidence
from kalloc_dev.lint import tables as wrapped
from kalloc_dev.lint.examples import missing
from kalloc_dev.modules import ide, kbuild
from kalloc_dev.modules.kbuild_cmd import call_for, inputs_of, is_built
from kalloc_dev.package import kalloctop
from kalloc_dev.test import attacks as attempts
from kalloc_dev.test import models as litmus
from kalloc_dev.test.mutants import unfit
from kalloc_dev.toolchain import crates, python_tools
from kalloc_dev.toolchain.compilers import toolchain
from rust_kbuild.console import Failure, say

# The export shim declares its exports, as the kernel's does (rust/exports.c). Each helper has a
# prototype next to its definition, which only bindgen reads.
CHECKPATCH_IGNORE = (
    "FILE_PATH_CHANGES,EXPORT_SYMBOL,MACRO_ARG_REUSE,AVOID_EXTERNS"
)


# The inputs of mypy.
PYTHON = ("scripts/kalloc", "scripts/vm", "scripts/rust-kbuild", "scripts/kalloc_dev", "scripts/rust_kbuild", "tests")

# The number of hazards in Documentation/explanation/hazards.toml, so that a lost one is detected.
HAZARDS = 79


def tool(argv: Iterable[str | Path], log: Path, binds: Iterable[Path] = ()) -> str:
    """Runs a tool of the toolchain; returns its output, and fails if the tool fails."""
    call = toolchain().argv(list(argv), binds=list(binds))
    done = subprocess.run(call, cwd=TREE, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          errors="replace", check=False)
    log.write_text(done.stdout)
    if done.returncode:
        raise Failure("not clean", log)
    return done.stdout


def rustfmt(log: Path) -> None:
    """Checks the format of Rust, also in comments, in README.md and in the tutorial."""
    debug, = set_up("debug")
    config = debug.source / ".rustfmt.toml"
    out = BUILD / "check" / "examples.rs"
    out.parent.mkdir(parents=True, exist_ok=True)
    out.write_text("".join(standalone(example) for path in files("rust/*.rs")
                           for example in doctests.examples(TREE, path)))
    driver, readme = out.with_name("tutorial.rs"), out.with_name("readme.rs")
    driver.write_text(tutorial.file(TREE / "Documentation/tutorial/first-driver.rst", "parcels.rs"))
    readme.write_text("".join(re.findall(r"^```rust\n(.*?)^```", (TREE / "README.md").read_text(), re.M | re.S)))
    tool(["rustfmt", "--check", "--edition", "2021", "--config-path", config, *files("*.rs"), out, driver, readme],
         log, binds=[debug.source])


def standalone(example: doctests.Example) -> str:
    """Returns an example as a function, with the same room for its lines as in the comment."""
    text = "\n".join(example.shown).strip("\n")
    for around in ("fn main()", "mod inside")[:2 if "::" in example.item else 1]:
        text = f"{around} {{\n{indent(text, '    ')}\n}}"
    return f"// {example.file}:{example.line}\n{text}\n"


def lint_tree() -> kbuild.BuildTree:
    """Returns the debug kernel's tree, with all modules built, including KUnit's."""
    debug, = set_up("debug")
    tree = kbuild.tree_of(debug)
    kbuild.build(tree)
    return tree


def clippy(log: Path) -> None:
    """Checks that everything compiles without a warning under the kernel's lints.

    Clippy generates no code. The build does, and its warnings are kept.
    """
    tree = lint_tree()
    crates = [crate for root in ide.roots() if is_built(tree, crate := str(root.relative_to(TREE).with_suffix("")))]
    with ThreadPoolExecutor(os.cpu_count()) as pool:
        said = list(pool.map(lambda crate: clippy_of(tree, crate), crates))
    report([*kbuild.warnings(tree), *(line for text in said for line in text.splitlines())], log)


def clippy_of(tree: kbuild.BuildTree, crate: str) -> str:
    """Returns clippy's complaints about a crate. A crate without any is checked again when an input changes."""
    call, out = call_for(tree, crate), BUILD / "check" / "clippy"
    out.mkdir(parents=True, exist_ok=True)
    words: list[str | Path] = [
        "env", "-C", tree.out, *call.env, f"CLIPPY_CONF_DIR={tree.source}", "RUSTC_BOOTSTRAP=1", "clippy-driver", *call.flags,
        f"--emit=metadata={out / Path(crate).name}.rmeta", TREE / f"{crate}.rs"]
    inputs = [hashlib.sha256(path.read_bytes()).hexdigest() for path in inputs_of(tree, crate)]
    stamp = out / store.key_of(*map(str, words), *inputs)
    if stamp.exists():
        return ""
    done = subprocess.run(toolchain().argv(words, binds=[tree.path, tree.source]), cwd=TREE, stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, errors="replace", check=False)
    if done.returncode or done.stdout:
        return f"{done.stdout}\n{crate}: clippy ends with status {done.returncode}"
    stamp.touch()
    return ""


def frames(log: Path) -> None:
    """Checks that no frame of a shipped module exceeds 1 KiB, or 2 KiB on the debug kernel."""
    report(list(stack_frames.too_large()), log)


def cargo(log: Path) -> None:
    """Checks that the crates of tools/ compile without a warning, also of clippy."""
    try:
        said = kalloctop.complaints("clippy")
    except crates.Unreachable as reason:
        say(f"    cargo: {reason}")
        return
    log.write_text(said)
    if said:
        raise Failure("clippy or the compiler warns", log)


def rustdoc(log: Path) -> None:
    """Checks that the crate's documentation builds without a warning, in build/doc/kalloc."""
    document(log, "-Dwarnings", "--output", BUILD / "doc")


def examples(log: Path) -> None:
    """Checks that every public item has an example."""
    out = BUILD / "check" / "doc"
    document(log, "-Zunstable-options", "--output-format", "json", "--output", out)
    report(sorted(missing(TREE, out / "kalloc.json")), log)


def document(log: Path, *options: str | Path) -> None:
    """Runs rustdoc on the crate, with the options of its compilation."""
    tree = lint_tree()
    call = call_for(tree, "rust/kalloc")
    # rustdoc generates no code, and rejects some flags for that.
    code = re.compile(r"--remap.*|-C(?!target|panic).*|-Z(function|cf|no-j|patch|tune|binary|llvm|sanit).*"
                      r"|-[WA]clippy::.*|--crate-type|rlib")
    flags = [flag for flag in call.flags if not code.fullmatch(flag)]
    tool(["env", "-C", tree.out, *call.env, "RUSTC_BOOTSTRAP=1", "rustdoc", *options,
          "--crate-name", "kalloc", *flags, TREE / "rust/kalloc.rs"], log, binds=[tree.path, tree.source])


def documents(log: Path) -> None:
    """Checks that the pages build without a warning, links resolve, and named files exist."""
    if not sphinx.has_crate():
        say("    documents: without the crate's documentation; make doc CRATE=1 builds both")
    sphinx.make(log)
    report([*sphinx.missing_files(), *sphinx.broken_links()], log)


def hazards(log: Path) -> None:
    """Checks that every hazard has a test or an argument, and that the named tests exist."""
    listed = evidence.read(TREE)
    report([*evidence.wrong(TREE, listed), *evidence.absent(TREE)], log)
    if len(listed) != HAZARDS:
        raise Failure(f"{len(listed)} hazards, not {HAZARDS}", log)


def tables(log: Path) -> None:
    """Checks that no cell of a simple table is wrapped: docutils would make a row of each line."""
    report([f"{path.relative_to(TREE)}:{number}: wrapped cell, use a list-table: {line}" for path in files("*.rst")
            for number, line in wrapped.wrapped(path.read_text())], log)


def checkpatch(log: Path) -> None:
    """Checks that C sources and build files follow the kernel's coding style."""
    debug, = set_up("debug")
    sources = [path.relative_to(TREE) for path in files("*.c", "*.h", "Kbuild")]
    tool([debug.source / "scripts/checkpatch.pl", "--no-tree", "--no-summary", "--quiet", "--strict",
          f"--ignore={CHECKPATCH_IGNORE}", "--file", *sources], log, binds=[debug.source])


def shellcheck(log: Path) -> None:
    """Checks shell scripts, and the marked shell text for guests, for known mistakes."""
    shell = [path for path in files(".ci/*", "debian/*", "scripts/*", "tests/*")
             if re.match(rb"#!\S*(/| )(ba|busybox )?sh\b|(#.*\n)*# shellcheck shell=", path.read_bytes()[:1000])]
    # Commands for a guest are in single quotes: SC2016.
    tool(["shellcheck", "--exclude=SC2016", *shell], log)


def judged(call: list[str], log: Path) -> None:
    """Runs a Python linter; fails if it fails."""
    done = subprocess.run(call, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
                          errors="replace", check=False)
    log.write_text(done.stdout)
    if done.returncode:
        raise Failure("not clean", log)


def ruff(log: Path) -> None:
    """Checks Python for the mistakes that ruff finds, by the rules in pyproject.toml."""
    try:
        program = python_tools.ruff()
    except crates.Unreachable as reason:
        say(f"    ruff: {reason}")
        return
    judged(python_tools.call([program, "check", "--output-format=concise"], [program.parent]), log)


def mypy(log: Path) -> None:
    """Checks that the types of Python are right and complete."""
    judged(python_tools.call(["mypy", "--strict", "--scripts-are-modules", *PYTHON]), log)


def reuse(log: Path) -> None:
    """Checks that every file has a license and a copyright notice, by the REUSE specification."""
    judged(python_tools.call(["reuse", "lint"]), log)


# Generated text.
MADE = (".svg", ".lock")


def spelling(log: Path) -> None:
    """Checks texts for common misspellings."""
    texts = [path for path in files() if path.suffix not in MADE]
    tool(["codespell", "--check-hidden", "--ignore-words-list", "fpr,ser,crate,inout,ratatui", *texts], log)


UNSAFE = re.compile(r"(?<![\w:`])unsafe\s*(\{|impl\b|fn\b|trait\b|extern\b)")
# Claims that need an argument of their own. Clippy checks the `# Safety` of functions.
CLAIM = re.compile(r"(?<![\w:`])unsafe\s*(\{|impl\b)")
ARGUED = re.compile(r"// SAFETY:|# Safety")
COMMENT = re.compile(r"\s*//")


def unargued(text: str) -> Iterator[int]:
    """Returns the number of each line with an `unsafe` and without an argument right above it."""
    lines = text.splitlines()
    for number, line in enumerate(lines):
        if COMMENT.match(line) or not CLAIM.search(line):
            continue
        above = number
        # Go up over the rest of the statement, and over its comments and attributes.
        while above and not ARGUED.search(lines[above]) and number - above < 24 and (
                above == number or not re.match(r"\s*\}?\s*$", lines[above])):
            above -= 1
        if not ARGUED.search(lines[above]):
            yield number + 1


def safety(log: Path) -> None:
    """Checks that every claim of safety has an argument, and that only the crate has claims."""
    complaints = []
    for path in files("*.rs"):
        name, text = path.relative_to(TREE), path.read_text()
        complaints += [f"{name}:{line}: unsafe without a SAFETY comment or # Safety section"
                       for line in unargued(text)]
        if name.parts[0] in ("samples", "tests", "tools"):
            complaints += [f"{name}:{number}: unsafe outside of rust/"
                           for number, line in enumerate(text.splitlines(), 1)
                           if UNSAFE.search(line) and not COMMENT.match(line)]
    report(complaints, log)


def bindings(log: Path) -> None:
    """Checks that only rust/ names C symbols, and the form of kalloc that is a part of the kernel crate."""
    report([f"{path.relative_to(TREE)}:{number}: reaches the bindings"
            for path in files("*.rs") if path.relative_to(TREE).parts[0] not in ("rust", "bench", "scripts")
            for number, line in enumerate(path.read_text().splitlines(), 1)
            if re.search(r"\bbindings\b", line) and not COMMENT.match(line)], log)


# The files whose syntax has no comments; debian/copyright states their license.
NO_COMMENTS = ("debian/changelog", "debian/source/format")


def imports(log: Path) -> None:
    """Checks that the crate's layers import only from lower layers."""
    report(list(layers.wrong(TREE / "rust")), log)


def flags(log: Path) -> None:
    """Checks that a function with get-free-page flags as an argument allocates with no others."""
    report([complaint for path in files("rust/*.rs", "rust/*.c", "samples/*.rs") if path.name != gfp_flags.DEFINES
            for complaint in gfp_flags.lost(path, path.read_text(), str(path.relative_to(TREE)))], log)


def licence(log: Path) -> None:
    """Checks that every source has a license identifier."""
    report([f"{path.relative_to(TREE)}: no SPDX line" for path in files()
            if path.name != "COPYING" and path.parent.name != "LICENSES" and str(path.relative_to(TREE)) not in NO_COMMENTS
            and "SPDX-License-Identifier:" not in "".join(path.read_text().splitlines()[:4])], log)


def troubles(log: Path) -> None:
    """Checks that Documentation/howto/troubleshooting.rst explains every error message."""
    report(list(messages.unexplained(TREE)), log)


def numbers(log: Path) -> None:
    """Checks that the numbers in README and on the pages are of the recorded benchmarks."""
    report(list(record.stale()), log)


def attacks(log: Path) -> None:
    """Checks that Documentation/explanation/attacks.rst lists exactly the attacks of the tests."""
    complaints = list(attempts.unlisted((TREE / "Documentation/explanation/attacks.rst").read_text()))
    report([*complaints, "the tables should be", *attempts.listing().splitlines()] if complaints else [], log)


def commands(log: Path) -> None:
    """Checks that `make help` lists every target of the Makefile, and nothing else."""
    text = (TREE / "Makefile").read_text()
    told = re.findall(r"^\t@echo 'make (\S+) +\S", text, re.M)
    targets = {name for line in re.findall(r"^(\w[^:=\n]*):(?!=)", text, re.M) for name in line.split()}
    phony = set(re.findall(r"^\.PHONY: (.*)$", text, re.M)[0].split())
    report([*(f"make help does not have {name}" for name in sorted(targets - {*told, "help"})),
            *(f"make help has {name}, which is no target" for name in told if name not in targets),
            *(f"{name} is a target, but not in .PHONY" for name in sorted(targets - phony)),
            *(f"{name} is in .PHONY, but no target" for name in sorted(phony - targets))], log)


def defects(log: Path) -> None:
    """Checks that the mutants apply to the tree, and that each states its defect and its test."""
    report(list(unfit()), log)


def models(log: Path) -> None:
    """Checks that the models in tests/models/ and the crate have the same memory orders."""
    report(list(litmus.strays(litmus.every())), log)


def series(log: Path) -> None:
    """Checks that each file for a kernel tree is in exactly one patch of the series."""
    report([line for name in TARGETS for line in exported.misplaced(exported.read(name), exported.content(name))], log)


def report(complaints: list[str], log: Path) -> None:
    """Fails if there are complaints."""
    log.write_text("".join(line + "\n" for line in complaints))
    if complaints:
        raise Failure(f"{len(complaints)} complaints", log)


CHECKS: tuple[Callable[[Path], None], ...] = (
    licence, reuse, spelling, rustfmt, ruff, mypy, shellcheck, checkpatch, safety, bindings, imports, flags, hazards, tables,
    attacks, troubles, numbers, commands, defects, models, series, clippy, frames, cargo, rustdoc, documents, examples)


def run_checks(names: list[str]) -> int:
    """Runs the checks of these names, or all; shows their complaints."""
    with store.lock(BUILD / "check.lock"):
        return _run(names)


def _run(names: list[str]) -> int:
    known = {check.__name__: check for check in CHECKS}
    if unknown := [name for name in names if name not in known]:
        raise Failure(f"no check {' '.join(unknown)}; there are {' '.join(known)}", status=2)
    LOGS.mkdir(parents=True, exist_ok=True)
    failed = []
    for name, check in known.items():
        if names and name not in names:
            continue
        log = LOGS / f"check-{name}.log"
        start = time.monotonic()
        try:
            check(log)
            say(f"    {name}: clean ({time.monotonic() - start:.0f} s)")
        except Failure as failure:
            shown = (failure.log or log).read_text().splitlines()[:40]
            say("\n".join(f"    | {line}" for line in shown) + f"\n    {name}: {failure} (log: {failure.log or log})")
            failed.append(name)
    if failed:
        raise Failure(f"not clean: {' '.join(failed)}")
    return 0
