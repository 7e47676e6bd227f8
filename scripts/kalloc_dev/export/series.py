# SPDX-License-Identifier: GPL-2.0-only
"""The patches of a target, as commits on a clean kernel tree.

The clean tree is a commit in a repository of the cache. A series is built with git's objects alone,
without a work tree.
"""

import os
import subprocess
import textwrap
import tomllib
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path

from kalloc_dev.core import store
from kalloc_dev.export.targets import TARGETS
from kalloc_dev.kernel import overlay
from kalloc_dev.kernel.debian import debian
from rust_kbuild.console import Failure, step

LINES = 1500
GIGABYTES = 2.0
# The commits have fixed dates, so that a series only depends on its content.
DATE = "1793491200 +0000"


@dataclass(frozen=True)
class Patch:
    """A patch: its message, and patterns of the files that it adds, relative to lib/kalloc or, with /, to the kernel."""

    subject: str
    body: str
    files: tuple[str, ...]

    def has(self, path: Path) -> bool:
        """Returns whether the patch adds a file."""
        name, outside = str(path), overlay.PLACE not in path.parents
        own = f"/{name}" if outside else str(path.relative_to(overlay.PLACE))
        return any(fnmatchcase(own, pattern) for pattern in self.files)


@dataclass(frozen=True)
class Series:
    """The patches, the text of the cover letter, and the accepted complaints of checkpatch."""

    title: str
    cover: str
    patches: tuple[Patch, ...]
    accepted: dict[str, str]


def read(name: str = "lib") -> Series:
    """Parses the data of a target."""
    data = tomllib.loads(TARGETS[name].data.read_text())
    return Series(data["title"], data["cover"],
                  tuple(Patch(one["subject"], one["body"], tuple(one["files"])) for one in data["patch"]),
                  {one["type"]: one["reason"] for one in data["accepted"]})


def misplaced(series: Series, paths: Collection[Path]) -> Iterator[str]:
    """Names the files that no patch adds, or more than one, and the patterns without a file."""
    for path in paths:
        if len(owners := [patch.subject for patch in series.patches if patch.has(path)]) != 1:
            yield f"{path}: in {len(owners)} patches; {' and '.join(owners) or 'add it to the series'}"
    for patch in series.patches:
        for pattern in patch.files:
            if not any(Patch("", "", (pattern,)).has(path) for path in paths):
                yield f"{pattern}: no such file"


class Repository:
    """A git repository with the clean tree of the kernel, and the commits of a series."""

    def __init__(self, directory: Path) -> None:
        """Creates a repository that borrows the objects of the clean tree."""
        clean = _clean()
        self.directory = directory
        directory.mkdir(parents=True, exist_ok=True)
        git(directory, "init", "--quiet", "--bare")
        (directory / "objects/info/alternates").write_text(f"{clean}/objects\n")
        self.base = (clean / "base").read_text().strip()
        git(directory, "update-ref", "refs/heads/base", self.base)

    def commit(self, branch: str, states: Iterable[tuple[str, Mapping[Path, bytes]]]) -> list[str]:
        """Commits these files one after the other on a new branch from the clean tree; returns the hashes."""
        stream, ours = bytearray(), self.identity()
        for number, (message, files) in enumerate(states, start=1):
            text = message.encode()
            stream += f"commit refs/heads/{branch}\nmark :{number}\ncommitter {ours} {DATE}\ndata {len(text)}\n".encode() + text
            stream += f"\nfrom {f':{number - 1}' if number > 1 else self.base}\n".encode()
            for path, text_of in files.items():
                stream += f"M 100644 inline {path}\ndata {len(text_of)}\n".encode() + text_of + b"\n"
        marks = self.directory / f"{branch}.marks"
        git(self.directory, "fast-import", "--quiet", "--force", f"--export-marks={marks}", content=bytes(stream))
        found = dict(line.split() for line in marks.read_text().splitlines())
        return [found[f":{number}"] for number in range(1, len(found) + 1)]

    def identity(self) -> str:
        """Returns the name and the address of the committer."""
        return git(self.directory, "var", "GIT_COMMITTER_IDENT").rpartition(">")[0] + ">"


def git(directory: Path, *words: str | Path, environment: Mapping[str, str] | None = None, content: bytes = b"") -> str:
    """Runs git in a directory; returns its output as one line or several."""
    return git_bytes(directory, *words, environment=environment, content=content).decode(errors="replace").strip()


def git_bytes(directory: Path, *words: str | Path, environment: Mapping[str, str] | None = None, content: bytes = b"") -> bytes:
    """Runs git in a directory; returns its output."""
    date = {"GIT_AUTHOR_DATE": DATE, "GIT_COMMITTER_DATE": DATE}
    outside = {name: value for name, value in os.environ.items() if not name.startswith("GIT_")}
    own = _identity(outside)
    done = subprocess.run(["git", "-c", "core.looseCompression=1", "-c", "gc.auto=0", *words], cwd=directory, input=content,
                          env=outside | own | date | dict(environment or {}), capture_output=True, check=False)
    if done.returncode:
        raise Failure(f"git {words[0]}: {done.stderr.decode(errors='replace').strip()}")
    return done.stdout


def _identity(environment: Mapping[str, str]) -> dict[str, str]:
    """Returns the identity of the commits: that of git's configuration if it has one."""
    known = subprocess.run(["git", "config", "user.email"], env=dict(environment), cwd="/", capture_output=True, check=False)
    if known.returncode == 0:
        return {}
    return {f"GIT_{who}_{what}": value for who in ("AUTHOR", "COMMITTER")
            for what, value in (("NAME", "The kalloc authors"), ("EMAIL", "kalloc@localhost"))}


def _clean() -> Path:
    """Returns the repository with the clean tree, made first if it is missing."""
    source = debian() / "linux"
    return store.entry("linux-git", store.key_of(str(source), "1"), lambda directory: _record(source, directory),
                       gigabytes=GIGABYTES)


def _record(source: Path, directory: Path) -> None:
    with step("recording the kernel's source in git", directory / "log"):
        git(directory, "init", "--quiet", "--bare")
        work = [f"--git-dir={directory}", f"--work-tree={source}"]
        git(source, *work, "add", "--all", "--force", ".")
        tree = git(directory, "write-tree")
        (directory / "base").write_text(git(directory, "commit-tree", tree, content=b"Linux\n"))


def content(name: str) -> dict[Path, bytes]:
    """Returns the files of a target, in the tested version of the kernel."""
    return TARGETS[name].files(debian() / "linux")


def commits(name: str, series: Series, repository: Repository) -> list[str]:
    """Commits the patches one after the other; returns their hashes."""
    files = content(name)
    present: set[Path] = set()
    before: dict[Path, bytes] = {}
    made = []
    for patch in series.patches:
        present |= {path for path in files if patch.has(path)}
        state = TARGETS[name].reduced(files, present)
        changed = {path: new for path, new in state.items() if before.get(path) != new}
        made.append((f"{patch.subject}\n\n{refilled(patch.body)}\n", changed))
        before = state
    return repository.commit("series", made)


def refilled(text: str) -> str:
    """Returns paragraphs with lines of at most 72 columns."""
    return "\n\n".join(textwrap.fill(paragraph, 72) for paragraph in text.strip().split("\n\n"))


def whole(name: str, repository: Repository) -> str:
    """Returns the hash of the overlay's tree, without any patches."""
    commit, = repository.commit("overlay", [("The overlay\n", content(name))])
    return git(repository.directory, "rev-parse", f"{commit}^{{tree}}")


def write_patches(series: Series, repository: Repository, directory: Path) -> Sequence[Path]:
    """Writes the files of the series with a cover letter; returns their paths, the cover letter first."""
    git(repository.directory, "format-patch", "--quiet", "--cover-letter", "--no-signature", "--stat=72",
        f"--output-directory={directory.resolve()}", "refs/heads/base..refs/heads/series")
    paths = sorted(directory.glob("*.patch"))
    letter = paths[0].read_text()
    letter = letter.replace("*** SUBJECT HERE ***", series.title).replace("*** BLURB HERE ***", series.cover.strip())
    paths[0].write_text(letter)
    return paths
