# SPDX-License-Identifier: GPL-2.0-only
"""The command line of scripts/rust-kbuild."""

import argparse
import os
from pathlib import Path
from typing import NoReturn

from rust_kbuild.console import Failure, say

from . import headers, prepare, symbols
from .tools import lines

DESCRIPTION = """\
Makes a build tree for Rust modules of a kernel that a distribution has built, from its
headers package and its source. The kernel itself is not built. The output is the tree's
directory, so that

    make -C "$(rust-kbuild)" M="$PWD" modules

builds the module in this directory for the running kernel. An existing tree is made again
only if the kernel, its source or the compilers have changed.

rust-kbuild check MODULE.ko… checks whether the kernel can load modules: the kernel must
export each symbol that they import, unless another of the modules exports it."""


class _Parser(argparse.ArgumentParser):
    def error(self, message: str) -> NoReturn:
        raise Failure(f"{message} ({self.prog} --help)", status=2)


def _parser(name: str, description: str) -> argparse.ArgumentParser:
    parser = _Parser(prog=name, description=description, allow_abbrev=False,
                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--release", metavar="R", help="the kernel's release, as in uname -r (default: that of "
                                                       "--headers, or the running kernel's)")
    parser.add_argument("--headers", type=Path, metavar="DIR", help="the directory of its headers package")
    return parser


def main(words: list[str]) -> int:
    """Runs a command; returns status 1 if it fails."""
    return check(words[1:]) if words[:1] == ["check"] else make(words)


def make(words: list[str]) -> int:
    """Makes a tree, and prints its directory."""
    parser = _parser("rust-kbuild", DESCRIPTION)
    parser.add_argument("--source", type=Path, metavar="DIR|TAR",
                        help="the source that the kernel was built from, unpacked or not")
    parser.add_argument("--output", type=Path, metavar="DIR",
                        help="the directory for the tree (default: rust-kbuild/R in ~/.cache)")
    parser.add_argument("--dry-run", action="store_true",
                        help="print the problems that can be known before the build, and make nothing")
    options = parser.parse_args(words)
    found = headers.find(options.release, options.headers)
    if options.dry_run:
        prepare.plan(found, options.source)
        return 0
    output = options.output or _cache() / found.release
    print(prepare.tree(found, options.source, output.absolute()))
    return 0


def _cache() -> Path:
    return Path(os.environ.get("XDG_CACHE_HOME") or "~/.cache").expanduser() / "rust-kbuild"


def check(words: list[str]) -> int:
    """Checks whether the kernel can load modules."""
    parser = _parser("rust-kbuild check", "Checks whether a kernel exports each symbol that modules import.")
    parser.add_argument("--symvers", type=Path, action="append", default=[], metavar="FILE",
                        help="the Module.symvers of other modules that are loaded before")
    parser.add_argument("modules", nargs="+", type=Path, metavar="MODULE.ko")
    options = parser.parse_args(words)
    modules = [symbols.Module(path) for path in options.modules]
    found = headers.find(options.release or (None if options.headers else modules[0].release), options.headers)
    there: dict[str, int] = {}
    for symvers in (found.symvers, *options.symvers):
        there |= symbols.exported(symvers)
    if problems := list(symbols.problems(modules, found.release, there)):
        raise Failure(lines(problems))
    for module in modules:
        ours = sum(name.startswith("_R") for name in module.imports)
        say(f"    {module.path.name}: all of its {len(module.imports)} imports, {ours} of them Rust's, "
            f"are in Linux {found.release}")
    return 0
