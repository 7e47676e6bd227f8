# SPDX-License-Identifier: GPL-2.0-only
"""The build of the pages in Documentation/ with Sphinx, beside the output of rustdoc.

Sphinx is a package of the distribution, in a root directory of its own. The packages of the
toolchain are part of the key of every kernel, so they must not include the tools for pages.
"""

import re
import shutil
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

from kalloc_dev.core import sandbox, store
from kalloc_dev.core.git import files
from kalloc_dev.core.paths import BUILD, CACHE, TREE
from kalloc_dev.toolchain.apt import SUITE, explained, mmdebstrap
from rust_kbuild.console import Failure, run, step

PACKAGES = ("python3-docutils", "python3-sphinx")
GIGABYTES = 0.4
SOURCE = TREE / "Documentation"
OUT = BUILD / "doc"
# Each manual page of Documentation/reference/, with its section.
MANUAL = (("kallocinfo", 5), ("kallocwatch", 5), ("kalloctop", 8), ("rust-kbuild", 1))
# The output of rustdoc: directories of items, sources and scripts, and pages.
CRATE = OUT / "kalloc"
RUSTDOC = ("kalloc", "src", "static.files", "search.desc", "trait.impl", "type.impl")
RUSTDOC_PAGES = ("help.html", "settings.html")

# A literal with the path of a file or directory of the tree, and the literals of the kernel's paths
# and of templates.
PATH = re.compile(r"``((?:rust|samples|scripts|tests|tools|bench|debian|Documentation)/[\w./-]+)[^`]*``")
ELSEWHERE = ("rust/version", "rust/kernel", "tools/memory-model", "scripts/sign-file", "scripts/Makefile.kcsan",
             "Documentation/arch/x86/x86_64/mm.rst", "tests/models/NAME.litmus")


def root() -> Path:
    """Returns the root directory with Sphinx."""
    return store.entry("sphinx", store.key_of(SUITE, *PACKAGES), _make_root, gigabytes=GIGABYTES) / "root"


def has_crate() -> bool:
    """Returns whether rustdoc has run."""
    return (CRATE / "all.html").exists()


def make(log: Path) -> None:
    """Builds the pages and the manual pages in build/doc; fails on any warning."""
    OUT.mkdir(parents=True, exist_ok=True)
    _remove_pages()
    log.write_bytes(b"")
    # -E reads every page, since the targets of its links may have changed.
    _run(["sphinx-build", "-W", "--keep-going", "-n", "-q", "-E", "-b", "html", "-d", BUILD / "doctrees", SOURCE, OUT], log)
    for name, section in MANUAL:
        page = SOURCE / "reference" / f"{name}.rst"
        _run(["rst2man", "--report=info", "--halt=warning", page, OUT / f"{name}.{section}"], log)


def missing_files() -> Iterator[str]:
    """Names each file that a page refers to and that the tree does not have."""
    for page in files("Documentation/*.rst"):
        yield from (f"{page.relative_to(TREE)}: no file {name}" for name in PATH.findall(page.read_text())
                    if name not in ELSEWHERE and not (TREE / name).exists())


def broken_links() -> Iterator[str]:
    """Names each relative link of a Markdown file, of a page, or from the crate's pages to them, that does not resolve."""
    for path in files("*.md"):
        yield from (f"{path.relative_to(TREE)}: {target}: no such file"
                    for target in re.findall(r"\]\(([^):#\s]+)(?:#[^)]*)?\)", path.read_text())
                    if not (path.parent / target).exists())
    pages: dict[Path, Page] = {}
    for path in sorted(OUT.rglob("*.html")):
        part = path.relative_to(OUT).parts
        if part[0] not in RUSTDOC:
            yield from broken(path, read(path, pages).links, pages)
        elif part[0] == CRATE.name:
            # rustdoc resolves its own links. The links that leave the crate are written by hand.
            up = "../" * (len(part) - 1)
            yield from broken(path, re.findall(rf'href="({up}(?!{"|".join(RUSTDOC)})[\w/.#-]+)"', path.read_text()), pages)


def broken(path: Path, targets: list[str], pages: dict[Path, "Page"]) -> Iterator[str]:
    """Names each of these targets of a page that does not resolve."""
    name = path.relative_to(OUT)
    for target in targets:
        words = urlsplit(target)
        if words.scheme or words.netloc:
            continue
        to = (path.parent / unquote(words.path)).resolve() if words.path else path
        if not to.is_file():
            yield f"{name}: {target}: no such file"
        # A script resolves ranges of lines of the source.
        elif words.fragment and OUT / "src" not in to.parents and unquote(words.fragment) not in read(to, pages).places:
            yield f"{name}: {target}: no such place"


class Page(HTMLParser):
    """The links of a page, and the places that links can lead to."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.links: list[str] = []
        self.places: set[str] = set()
        self.feed(text)

    def handle_starttag(self, _: str, attrs: list[tuple[str, str | None]]) -> None:
        """Collects from one element."""
        for name, value in attrs:
            if name == "id":
                self.places.add(value or "")
            elif name in ("href", "src"):
                self.links.append(value or "")


def read(path: Path, pages: dict[Path, Page]) -> Page:
    """Returns a page, parsed at most once."""
    if path not in pages:
        pages[path] = Page(path.read_text())
    return pages[path]


def _remove_pages() -> None:
    """Removes the pages of an earlier build: some may no longer have a source."""
    for path in OUT.iterdir():
        if path.is_dir() and path.name not in RUSTDOC:
            shutil.rmtree(path)
        elif path.suffix == ".html" and path.name not in RUSTDOC_PAGES:
            path.unlink()


def _run(argv: list[str | Path], log: Path) -> None:
    env = {"PATH": "/usr/bin:/bin", "LANG": "C.UTF-8", "PYTHONDONTWRITEBYTECODE": "1"}
    run(sandbox.inside(root(), [str(word) for word in argv], TREE, env, [TREE]), log, Path(argv[0]).name)


def _make_root(directory: Path) -> None:
    with step("installing Sphinx", CACHE / "log" / "sphinx.log") as log:
        try:
            run(mmdebstrap("--variant=apt", "--include=" + ",".join(PACKAGES), SUITE, directory / "root"), log, "mmdebstrap")
        except Failure as failure:
            raise explained(failure) from failure
