# SPDX-License-Identifier: GPL-2.0-only
"""The command that exports the series."""

import argparse
import shutil
from collections.abc import Iterator
from pathlib import Path

from kalloc_dev.core import store
from kalloc_dev.export import check, series
from kalloc_dev.export.targets import TARGETS
from kalloc_dev.test.result import Case, again, said, status
from rust_kbuild.console import Failure, say


def arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the command's options."""
    parser.add_argument("directory", nargs="?", type=Path, metavar="DIR",
                        help="a new or empty directory for overlay/ and patches/ (optional with --check)")
    parser.add_argument("--target", choices=TARGETS, default="lib",
                        help="the form: a crate in lib/kalloc, or slab caches in the kernel crate (default: lib)")
    parser.add_argument("--check", action="store_true",
                        help="apply the series to a clean tree, and check its size, its style and the build of each commit")
    parser.add_argument("--no-build", action="store_true", help="with --check: without the builds")
    parser.add_argument("--first", type=int, default=1, metavar="N", help="with --check: build from the Nth commit on")


def main(options: argparse.Namespace) -> int:
    """Writes the overlay and the series; with --check, returns status 1 if a check fails."""
    if not options.directory and not options.check:
        raise Failure("export needs DIR or --check", status=2)
    directory = options.directory or check.WORK / "out"
    if options.directory and directory.exists() and any(directory.iterdir()):
        raise Failure(f"{directory} is not empty; choose a new directory", status=2)
    with store.lock(check.WORK.with_name("export.lock")):
        return _export(directory, options)


def _export(directory: Path, options: argparse.Namespace) -> int:
    shutil.rmtree(check.WORK, ignore_errors=True)
    text = series.read(options.target)
    content = series.content(options.target)
    if wrong := list(series.misplaced(text, content)):
        raise Failure(f"{TARGETS[options.target].data.name}: " + "; ".join(wrong))
    repository = series.Repository(check.WORK / "git")
    commits = series.commits(options.target, text, repository)
    for path, whole in content.items():
        written = directory / "overlay" / path
        written.parent.mkdir(parents=True, exist_ok=True)
        written.write_bytes(whole)
    letter, *patches = series.write_patches(text, repository, directory / "patches")
    say(f"    {directory}: overlay/ and {len(patches)} patches, cover letter {letter.name}")
    if not options.check:
        return 0
    cases = []
    for case in _checked(text, repository, commits, patches, options):
        cases.append(case)
        say(f"{case.outcome:7} {case.name}")
    print(again(cases) + said(cases))
    return status(cases)


def _checked(text: series.Series, repository: series.Repository, commits: list[str], patches: list[Path],
             options: argparse.Namespace) -> Iterator[Case]:
    yield from check.sizes(text, repository, commits)
    yield from check.style(text, patches)
    yield from check.applies(options.target, repository, patches)
    if not options.no_build:
        yield from check.builds(options.target, text, repository, commits, options.first)
