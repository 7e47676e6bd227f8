# SPDX-License-Identifier: GPL-2.0-only
"""The two commands of the README on other machines: other accounts, paths, locales and disks.

Each command works, or fails with one clear line before it downloads anything. The cache of this
machine is used, but cannot change.
"""

import os
import re
import shutil
import subprocess
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from kalloc_dev.core import git
from kalloc_dev.core.paths import BUILD, CACHE, TREE
from kalloc_dev.core.prepare import set_up
from kalloc_dev.guest.userland import userland
from kalloc_dev.modules import kbuild
from kalloc_dev.test.plugin import Reporter
from kalloc_dev.test.result import Case

pytestmark = pytest.mark.long

SCRIPT = Path(__file__).with_name("environment.sh")
COMMANDS = {"scripts/vm": ("scripts/vm", "--", "true"), "make run": ("make", "run")}
# The PATH of an ordinary user of Debian, which su keeps.
PATH = "/usr/local/bin:/usr/bin:/bin:/usr/local/games:/usr/games"
USER, STRANGER = 54321, 54322
NO_ROOT = r"not root, and (no newuidmap: as root, apt-get install uidmap|54322 has no line in /etc/subuid: .*)"
UNIDMAPPED = "" if shutil.which("newuidmap") else NO_ROOT
DOWNLOADS = re.compile(r"==> (installing|downloading|unpacking)")
SECONDS = 1800.0
ACCOUNTS = {
    "passwd": f"root:x:0:0:root:/root:/bin/sh\nplain:x:{USER}:{USER}::/home/plain:/bin/sh\n",
    "group": f"root:x:0:\nplain:x:{USER}:\n", "subuid": "plain:1000000:65536\n", "subgid": "plain:1000000:65536\n"}


@dataclass(frozen=True)
class Machine:
    """An environment, and the error with which it may fail: a regular expression, empty if it must work."""

    user: int = 0
    variables: dict[str, str] = field(default_factory=dict)
    at: Path = TREE
    kind: str = "rw"
    mask: str = "022"
    at_once: int = 1
    error: str = ""


MACHINES = {
    "ordinary user": Machine(USER, {"HOME": "/home/plain", "USER": "plain"}, error=UNIDMAPPED),
    "root by su": Machine(0, {"HOME": "/root", "USER": "root"}),
    "no HOME": Machine(0),
    "no passwd entry": Machine(STRANGER, error=NO_ROOT),
    "umask 077": Machine(0, {"HOME": "/root"}, mask="077"),
    "POSIX locale": Machine(0, {"HOME": "/root", "LC_ALL": "POSIX"}),
    "two runs at once": Machine(0, {"HOME": "/root"}, at_once=2),
    "full disk": Machine(0, {"HOME": "/root"}, kind="full", error=r".*/build has 0\.0 GB free and needs 0\.3 GB: make room, .*"),
    "read-only tree": Machine(0, {"HOME": "/root"}, kind="ro"),
    "a path with blanks": Machine(0, {"HOME": "/root"}, at=Path("/var/tmp/kalloc tests/a, b = ü")),
}


@pytest.fixture(scope="module")
def copy(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Returns a copy of the tree with the modules for the stock kernel, so that only other paths need others."""
    if os.geteuid():
        pytest.skip("only root can become other accounts")
    stock, = set_up("stock")
    kbuild.image(stock)
    userland(())
    (CACHE / "builds").mkdir(exist_ok=True)
    directory = tmp_path_factory.mktemp("machines")
    for path in git.files():
        to = directory / "tree" / path.relative_to(TREE)
        to.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(path, to)
    for name in ("stock", "userspace"):
        shutil.copytree(BUILD / name, directory / "tree/build" / name, symlinks=True)
    for name, text in ACCOUNTS.items():
        (directory / name).write_text(text)
    yield directory
    shutil.rmtree(directory)


def call(machine: Machine, copy: Path, command: tuple[str, ...]) -> list[str]:
    """Returns the call of a command on a machine."""
    variables = [f"{name}={value}" for name, value in
                 {"PATH": PATH, "KALLOC_CACHE": str(CACHE), **machine.variables}.items()]
    account = ["setpriv", f"--reuid={machine.user}", f"--regid={machine.user}", "--clear-groups"] if machine.user else []
    return ["unshare", "--mount", "sh", str(SCRIPT), str(CACHE), str(copy / "tree"), str(machine.at), machine.kind, str(copy),
            "sh", "-c", f"umask {machine.mask}; exec \"$@\"", "sh", *account, "env", "-i", *variables, *command]


def judged(machine: Machine, done: subprocess.CompletedProcess[str]) -> str:
    """Returns the problem of a command that has ended, or an empty string."""
    errors = [line for line in done.stderr.splitlines() if line.startswith("error: ")]
    if "Traceback" in done.stderr:
        return "a traceback"
    if DOWNLOADS.search(done.stderr):
        return "something is downloaded"
    if done.returncode == 0:
        return ""
    if not machine.error:
        return f"status {done.returncode}"
    return "" if len(errors) == 1 and re.fullmatch(machine.error, errors[0].removeprefix("error: ")) else "another error"


@pytest.mark.parametrize("name", MACHINES)
def test_machine(copy: Path, report: Reporter, name: str) -> None:
    """Both commands work there, or fail with one line."""
    machine = MACHINES[name]
    subprocess.run(["chown", "-R", f"{machine.user}:{machine.user}", copy / "tree"], check=True)

    def run(words: tuple[str, ...]) -> subprocess.CompletedProcess[str]:
        return subprocess.run(call(machine, copy, words), capture_output=True, text=True, stdin=subprocess.DEVNULL,
                              errors="replace", timeout=SECONDS, check=False)

    said, problems = [], []
    with ThreadPoolExecutor() as pool:
        for title, words in COMMANDS.items():
            for done in pool.map(run, [words] * machine.at_once):
                said.append(f"{title} {'works' if done.returncode == 0 else 'fails clearly'}")
                if problem := judged(machine, done):
                    problems.append(f"    {title}: {problem}\n{done.stdout[-2000:]}{done.stderr[-4000:]}")
    print(f"{name}: {', '.join(dict.fromkeys(said))}")
    report([Case(f"machines {name}: {', '.join(dict.fromkeys(said))}", "failed" if problems else "passed", "".join(problems))])
