# SPDX-License-Identifier: GPL-2.0-only
"""The checks of an exported series: its size, its style, `git am`, and the build of each commit."""

import re
import shutil
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from kalloc_dev.core import store
from kalloc_dev.core.paths import BUILD, CACHE, LOGS
from kalloc_dev.export import series as data
from kalloc_dev.export.series import Repository, Series, git, git_bytes
from kalloc_dev.export.targets import CHANGED, TARGETS, Target
from kalloc_dev.kernel import overlay
from kalloc_dev.kernel.build import JOBS
from kalloc_dev.kernel.debian import debian
from kalloc_dev.test import kunit_tool
from kalloc_dev.test.result import Case
from kalloc_dev.toolchain.compilers import toolchain
from rust_kbuild.console import Failure, run, say

WORK = BUILD / "export"
COMPLAINT = re.compile(r"^[^:]+:(?:\d+:)? (?:ERROR|WARNING|CHECK):(\w+): (.*)$", re.M)


def sizes(series: Series, repository: Repository, commits: Sequence[str]) -> Iterator[Case]:
    """Compares the changed lines of each patch with the limit."""
    for number, (patch, commit) in enumerate(zip(series.patches, commits, strict=True), start=1):
        stat = git(repository.directory, "diff", "--numstat", f"{commit}~", commit)
        lines = sum(int(count) for line in stat.splitlines() for count in line.split("\t")[:2])
        yield _case(f"{number:2} {patch.subject}: {lines} lines", f"more than {data.LINES}\n" if lines > data.LINES else "")


def style(series: Series, patches: Sequence[Path]) -> Iterator[Case]:
    """Runs checkpatch.pl on the patches; only the listed types of complaints are accepted, and each listed one occurs."""
    source, seen = debian() / "linux", set()
    for patch in patches:
        log = LOGS / f"checkpatch-{patch.stem[:40]}.log"
        log.parent.mkdir(parents=True, exist_ok=True)
        options = ["--strict", "--terse", "--show-types", "--no-summary", "--root=."]
        call = toolchain().argv(["scripts/checkpatch.pl", *options, patch], cwd=source, binds=[patch.parent])
        try:
            log.unlink(missing_ok=True)
            run(call, log, "checkpatch.pl")
        except Failure:
            pass
        text = log.read_text(errors="replace")
        if not text.strip():
            yield _case(f"checkpatch.pl {patch.name}", "no output\n")
            continue
        found = COMPLAINT.findall(text)
        seen |= {kind for kind, _ in found}
        yield _case(f"checkpatch.pl {patch.name}: {len(found)} accepted complaints",
                    "".join(f"{kind}: {said}\n" for kind, said in found if kind not in series.accepted))
    yield _case("checkpatch.pl: each accepted type occurs",
                "".join(f"{kind} does not occur\n" for kind in sorted(series.accepted.keys() - seen)))


def applies(name: str, repository: Repository, patches: Sequence[Path]) -> Iterator[Case]:
    """Applies the patches to the clean tree by `git am`; the result must be the overlay's tree."""
    directory = repository.directory.with_name("am")
    shutil.rmtree(directory, ignore_errors=True)
    git(repository.directory, "clone", "--quiet", "--shared", "--no-checkout", "--branch=base", repository.directory, directory)
    # Only the changed directories are on the disk.
    git(directory, "sparse-checkout", "set", *{str(path.parent) for path in CHANGED if path.parent != Path()})
    git(directory, "checkout", "--quiet", "base")
    try:
        git(directory, "am", "--quiet", *(patch.resolve() for patch in patches))
    except Failure as failure:
        yield _case("git am", f"{failure}\n")
        return
    got, wanted = git(directory, "rev-parse", "HEAD^{tree}"), data.whole(name, repository)
    yield _case(f"git am: tree {got}", "" if got == wanted else f"the overlay is {wanted}\n")


def builds(name: str, series: Series, repository: Repository, commits: Sequence[str], first: int = 1) -> Iterator[Case]:
    """Builds each commit for User-Mode Linux with WERROR, incrementally.

    The tree is not that of kunit.py, so that developers can run suites meanwhile.
    """
    directory = kunit_tool.tree("export")
    tree, out = directory / "linux", directory / "um"
    with store.lock(CACHE / "lock" / f"{directory.name}.run"):
        for number, (patch, commit) in enumerate(zip(series.patches, commits, strict=True), start=1):
            if number < first:
                continue
            start, log = time.monotonic(), LOGS / f"export-build-{number:02}.log"
            overlay.replace(tree, _files(repository, commit))
            log.unlink(missing_ok=True)
            try:
                _build(TARGETS[name], tree, out, log)
                complaint = ""
            except Failure as failure:
                complaint = f"{failure}\n    log: {log}\n"
            say(f"    {number:2} of {len(commits)}: {patch.subject}: {'fails' if complaint else 'builds'}, "
                f"{time.monotonic() - start:.0f} s (log: {log})")
            yield _case(f"builds: {number:2} {patch.subject}", complaint)


def _files(repository: Repository, commit: str) -> dict[Path, bytes]:
    """Returns the files of the overlay in a commit."""
    names = git(repository.directory, "diff", "--name-only", repository.base, commit).splitlines()
    kept = {str(path) for path in CHANGED} - set(names)
    return {Path(name): git_bytes(repository.directory, "show", f"{commit}:{name}") for name in [*names, *sorted(kept)]}


def _build(target: Target, tree: Path, out: Path, log: Path) -> None:
    """Configures and builds a commit."""
    out.mkdir(parents=True, exist_ok=True)
    log.parent.mkdir(parents=True, exist_ok=True)
    options = re.findall(r"^config (\w+)$", (tree / target.kconfig).read_text(), re.M)
    base = overlay.tree()[overlay.PLACE / ".kunitconfig"].decode()
    names = [name for option, needs in target.options.items() if option in options for name in (option, *needs)]
    wanted = base + "".join(f"CONFIG_{name}=y\n" for name in names)
    make = ["make", f"O={out}", "ARCH=um", "LLVM=1", f"KALLOC_INCREMENTAL={out}/incremental", *target.variables, JOBS]
    (out / ".config").write_text(wanted)
    run(toolchain().argv([*make, "olddefconfig"], cwd=tree), log, "make")
    config = (out / ".config").read_text()
    for name in [*options, *names]:
        if f"CONFIG_{name}=y\n" in wanted and f"CONFIG_{name}=y\n" not in config:
            raise Failure(f"the configuration has no {name}")
    run(toolchain().argv(make, cwd=tree), log, "make")


def _case(name: str, complaint: str) -> Case:
    return Case(name, "failed", f"    {complaint}") if complaint else Case(name, "passed")
