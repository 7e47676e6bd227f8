# SPDX-License-Identifier: GPL-2.0-only
"""The paths of the tree, the cache and the built files, for any account and any place of the tree."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from kalloc_dev.core.paths import TREE

SHOW = "from kalloc_dev.core import paths; print(paths.TREE, paths.CACHE, paths.BUILD, sep='\\n')"
# An account without a passwd entry.
UNKNOWN = "import pwd; pwd.getpwuid = lambda _: {}[0]; "
# The path of a program in a directory that an ordinary user's PATH lacks.
FIND = "import shutil; from rust_kbuild.console import main; main(lambda _: print(shutil.which('chroot')) or 0)"


def said(tree: Path, *before: str, code: str = SHOW, status: int = 0, **variables: str) -> list[str]:
    """Returns the lines that a program of the tree prints, in an environment of these variables."""
    here = f"import sys; sys.path.insert(0, {str(tree / 'scripts')!r}); sys.dont_write_bytecode = True; "
    call = [*before, "env", "-i", *(f"{name}={value}" for name, value in variables.items()), sys.executable, "-c", here + code]
    done = subprocess.run(call, capture_output=True, text=True, check=False)
    assert done.returncode == status, done
    return (done.stderr if status else done.stdout).splitlines()


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """Returns a tree whose path has a blank, a comma, a colon and a letter that is not ASCII."""
    directory = tmp_path / "a, b: ü"
    shutil.copytree(TREE / "scripts", directory / "scripts", ignore=shutil.ignore_patterns("__pycache__"))
    return directory


def test_tree_at_any_path(tree: Path) -> None:
    """Tools get a path without such characters, which leads to the tree; a plain path is used as it is."""
    link, cache, build = said(tree, HOME="/home/x")
    assert Path(link).resolve() == tree and link.isascii() and not set(link) & set(" ,:"), link
    assert (cache, build) == ("/home/x/.cache/kalloc", f"{link}/build")
    assert said(tree, HOME="/home/x")[0] == link
    plain = tree.rename(tree.with_name("plain"))
    assert said(plain, HOME="/home/x")[0] == str(plain)
    # The link of a tree that was moved is not in the way of another tree.
    shutil.copytree(plain, tree)
    assert said(tree, HOME="/home/x")[0] == link


def test_cache_of_any_account(tree: Path) -> None:
    """The cache is in the home directory, or in the tree if there is none. Tools must be able to use its path."""
    assert said(tree, HOME="/home/x", XDG_CACHE_HOME="/home/y")[1] == "/home/y/kalloc"
    assert said(tree, HOME="/home/x", KALLOC_CACHE="~/z")[1] == "/home/x/z"
    text, = said(tree, HOME="/home/x y", status=1)
    assert text.startswith("error: /home/x y/.cache/kalloc: ") and "set KALLOC_CACHE" in text
    plain = tree.rename(tree.with_name("plain"))
    assert said(plain, code=UNKNOWN + SHOW)[1] == f"{plain}/build/cache"


def test_read_only_tree(tree: Path) -> None:
    """The built files of a tree that cannot be written are in the cache."""
    if os.geteuid():
        pytest.skip("only root can mount a tree read-only")
    mounted = ("unshare", "--mount", "sh", "-c", 'mount --bind "$0" "$0"; mount -o remount,bind,ro "$0"; exec "$@"', str(tree))
    link, cache, build = said(tree, *mounted, HOME="/home/x")
    assert build.startswith(f"{cache}/builds/") and Path(link).resolve() == tree


def test_programs_of_the_system(tree: Path) -> None:
    """Programs in /usr/sbin are found with a user's PATH, and without any."""
    for path in ("/usr/bin:/bin", ""):
        assert said(tree, code=FIND, PATH=path) in (["/usr/sbin/chroot"], ["/sbin/chroot"]), path
