# SPDX-License-Identifier: GPL-2.0
"""The pages of Documentation/, made by Sphinx, with the crate's own documentation beside them.

Sphinx is the archive's, in a root folder of its own: the toolchain's packages are part of the key of
every kernel, which a program that writes pages should not change.
"""

import re
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

from kalloc_dev.core import sandbox, store
from kalloc_dev.core.paths import BUILD, CACHE, TREE
from kalloc_dev.toolchain.apt import SUITE, explained, mmdebstrap
from rust_kbuild.console import Failure, run, step

PACKAGES = ("python3-docutils", "python3-sphinx")
GIGABYTES = 0.4
SOURCE = TREE / "Documentation"
OUT = BUILD / "doc"
# Each manual page, and the section that it is in.
MANUAL = (("kallocinfo", 5), ("kalloctop", 8), ("rust-kbuild", 8))


def root() -> Path:
    """The folder with Sphinx in it."""
    return store.entry("sphinx", store.key_of(SUITE, *PACKAGES), _make_root, gigabytes=GIGABYTES) / "root"


def make(log: Path) -> None:
    """Makes the pages and the manual pages in build/doc; fails if there is anything to complain of."""
    OUT.mkdir(parents=True, exist_ok=True)
    log.write_bytes(b"")
    # All pages are read each time: what they link to may have changed.
    _run(["sphinx-build", "-W", "--keep-going", "-n", "-q", "-E", "-b", "html", "-d", BUILD / "doctrees", SOURCE, OUT], log)
    for page, section in MANUAL:
        _run(["rst2man", "--report=info", "--halt=warning", SOURCE / f"{page}.rst", OUT / f"{page}.{section}"], log)


def broken_links() -> Iterator[str]:
    """Names each link of README.md, between the pages, or from and to the crate's, that leads nowhere."""
    yield from (f"README.md: {target}: there is no such file"
                for target in re.findall(r"\]\(([^):#]+)\)", (TREE / "README.md").read_text())
                if not (TREE / target).exists())
    pages: dict[Path, Page] = {}
    for path in [*sorted(OUT.glob("*.html")), OUT / "kalloc/index.html"]:
        for target in read(path, pages).links:
            words = urlsplit(target)
            if words.scheme or words.netloc:
                continue
            to = (path.parent / unquote(words.path)).resolve() if words.path else path
            if not to.is_file():
                yield f"{path.name}: {target}: there is no such file"
            # Ranges of lines of the source are found by a script.
            elif words.fragment and OUT / "src" not in to.parents and unquote(words.fragment) not in read(to, pages).places:
                yield f"{path.name}: {target}: there is no such place in it"


class Page(HTMLParser):
    """What a page links to, and what can be linked to in it."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.links: list[str] = []
        self.places: set[str] = set()
        self.feed(text)

    def handle_starttag(self, _: str, attrs: list[tuple[str, str | None]]) -> None:
        """Sees one element."""
        for name, value in attrs:
            if name == "id":
                self.places.add(value or "")
            elif name in ("href", "src"):
                self.links.append(value or "")


def read(path: Path, pages: dict[Path, Page]) -> Page:
    """A page, read once."""
    if path not in pages:
        pages[path] = Page(path.read_text())
    return pages[path]


def _run(argv: list[str | Path], log: Path) -> None:
    env = {"PATH": "/usr/bin:/bin", "LANG": "C.UTF-8", "PYTHONDONTWRITEBYTECODE": "1"}
    run(sandbox.inside(root(), [str(word) for word in argv], TREE, env, [TREE]), log, Path(argv[0]).name)


def _make_root(folder: Path) -> None:
    with step("installing Sphinx", CACHE / "log" / "sphinx.log") as log:
        try:
            run(mmdebstrap("--variant=apt", "--include=" + ",".join(PACKAGES), SUITE, folder / "root"), log, "mmdebstrap")
        except Failure as failure:
            raise explained(failure) from failure
