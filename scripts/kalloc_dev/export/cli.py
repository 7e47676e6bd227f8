# SPDX-License-Identifier: GPL-2.0-only
"""The command that exports the series."""

import argparse
import shutil
from collections.abc import Iterator
from pathlib import Path

from kalloc_dev.export import check, series
from kalloc_dev.kernel import overlay
from kalloc_dev.kernel.debian import debian
from kalloc_dev.test.result import Case, again, said, status
from rust_kbuild.console import Failure, say


def arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the command's options."""
    parser.add_argument("directory", nargs="?", type=Path, metavar="DIR",
                        help="a new or empty directory for overlay/ and patches/ (optional with --check)")
    parser.add_argument("--check", action="store_true",
                        help="apply the series to a clean tree, and check its size, its style and the build of each commit")
    parser.add_argument("--no-build", action="store_true", help="with --check: without the builds")
    parser.add_argument("--first", type=int, default=1, metavar="N", help="with --check: build from the Nth commit on")


def main(options: argparse.Namespace) -> int:
    """Writes the overlay and the series; with --check, returns status 1 if a check fails."""
    if not options.directory and not options.check:
        raise Failure("export needs DIR or --check", status=2)
    directory = options.directory or check.WORK / "out"
    if not options.directory:
        shutil.rmtree(directory, ignore_errors=True)
    elif directory.exists() and any(directory.iterdir()):
        raise Failure(f"{directory} is not empty; choose a new directory", status=2)
    text = series.read()
    if wrong := list(series.misplaced(text)):
        raise Failure("series.toml: " + "; ".join(wrong))
    shutil.rmtree(check.WORK / "git", ignore_errors=True)
    repository = series.Repository(check.WORK / "git")
    commits = series.commits(text, repository)
    for path, content in (overlay.tree() | overlay.hooked(debian() / "linux")).items():
        written = directory / "overlay" / path
        written.parent.mkdir(parents=True, exist_ok=True)
        written.write_bytes(content)
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
    yield from check.applies(repository, patches)
    if not options.no_build:
        yield from check.builds(text, repository, commits, options.first)
