# SPDX-License-Identifier: GPL-2.0-only
"""Each command of README and Documentation runs: here, in another test, or not, for a reason."""

import fnmatch
import os
import shlex
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from kalloc_dev.core.paths import TREE
from kalloc_dev.doc import commands
from kalloc_dev.package import kalloctop
from kalloc_dev.test.session import Session, in_guest
from kalloc_dev.toolchain.crates import Unreachable

DEB, KBUILD = "tests/packaging/deb_install.sh", "tests/packaging/test_rust_kbuild.py"
IN_TREE, TUTORIAL = "tests/guest/test_kunit_in_tree.py", "tests/guest/test_tutorial.py"
MACHINES, SHELL = "tests/host/test_machines.py", "tests/guest/test_vm_streams.py"
DRIVERS, HOWTO = "tests/host/test_driver_workflow.py", "tests/guest/test_watch.py"
READERS, LIVE = "tests/guest/test_slabinfo_readers.py", "tests/kalloctop/live.py"
RUNNER = "tests/host/test_runner_cases.py"
# The commands that do not run here, as patterns: the test that runs them, or the reason.
ELSEWHERE = {
    "README.md": {
        "make run": MACHINES, "make shell": SHELL, "make deb": DEB, "sudo apt install *": DEB,
        "sudo modprobe kalloc_exercise && sudo kalloctop": DEB, 'make -C "$(scripts/rust-kbuild)" *': KBUILD,
        "*make modules* KDIR=/path/to/build/tree": DRIVERS, "sudo depmod && *": DEB,
        "make test": "it is this test's caller", "scripts/kalloc kunit": IN_TREE},
    "CONTRIBUTING.md": {"make *": "these are the callers of all tests and checks"},
    "add-a-test.rst": {"scripts/kalloc test *": RUNNER},
    "install.rst": {
        "apt *": DEB, "modprobe kalloc_exercise": DEB, "kalloctop": LIVE, "rmmod kalloc_exercise kalloc": DEB,
        "mokutil *": "it needs a machine with UEFI, and a person at its console",
        '"$(rust-kbuild)"/scripts/sign-file *': "it needs the keys of the reader",
        "mkdir *": "tests/packaging/test_deb_files.py", "cp *": "tests/packaging/test_deb_files.py",
        "sed *": "tests/packaging/test_deb_files.py", "dkms install kalloc/0.1.0": DEB,
        "make modules KDIR=*": KBUILD, "sudo make modules_install KDIR=…": DRIVERS, "sudo depmod": DEB},
    "export-a-series.rst": {"scripts/kalloc export*": "tests/host/test_export.py"},
    "run-in-a-guest.rst": {"scripts/vm --shell": SHELL},
    "run-kunit.rst": {"scripts/kalloc kunit*": IN_TREE},
    "who-holds-memory.rst": {"kalloctop *": HOWTO},
    "kallocinfo.rst": {"unshare *": READERS},
    "kalloctop.rst": {"kalloctop watch all *": HOWTO, "kalloctop watch xfs": "tests/guest/test_kalloctop_watch.py"},
    "not-counted.rst": {"cd linux": "tests/guest/test_patched.py"},
    "rust-kbuild.rst": {"make -C *": KBUILD},
    "tests.rst": {"scripts/kalloc test sanitizers_report *": "tests/guest/test_sanitizers_report.py"},
    "first-driver.rst": {"make -C $KDIR *": DRIVERS, "*": TUTORIAL},
    "move-a-driver.rst": {"*": TUTORIAL},
    "pci-driver.rst": {"*": TUTORIAL},
}
# The pages whose other commands run in one guest, with the state that they assume.
EXERCISE = "modprobe kalloc_exercise"
IN_GUEST = {
    "README.md": "true", "find-a-leak.rst": EXERCISE, "compare.rst": "true", "samples.rst": "true", "kallocinfo.rst": EXERCISE,
    "kalloctop.rst": f"{EXERCISE}; mkdir -p /var/lib/prometheus/node-exporter",
}
# The names for which a reader inserts others.
NAMES = {"DRIVER": "kalloc_exercise"}
UNLOAD = "cd /; umount /proc/slabinfo; rmmod kalloc_exercise kalloc_compare kalloc_hash kalloc"
FOUND = {page.name: list(commands.commands(page)) for page in commands.pages(TREE)}
ON_HOST = [command for page in ("run-in-a-guest.rst", "samples.rst") for command in FOUND[page]
           if command.startswith("scripts/vm ") and command not in ELSEWHERE.get(page, {})]


def is_elsewhere(page: str, command: str) -> bool:
    """Returns whether the table has this command."""
    return any(fnmatch.fnmatchcase(command, pattern) for pattern in ELSEWHERE.get(page, {}))


def in_one_guest(page: str) -> list[str]:
    """Returns the commands of a page that run in the guest."""
    return [command for command in FOUND[page] if command not in ON_HOST and not is_elsewhere(page, command)]


def test_table() -> None:
    """Each command has a place, and the table has no other commands. The tests that it names exist."""
    lost = [f"{page}: {command}" for page, found in FOUND.items() for command in found
            if page not in IN_GUEST and command not in ON_HOST and not is_elsewhere(page, command)]
    assert not lost, lost
    stale = [f"{page}: {pattern}" for page, patterns in ELSEWHERE.items() for pattern in patterns
             if not fnmatch.filter(FOUND[page], pattern)]
    assert not stale, stale
    tests = {place for patterns in ELSEWHERE.values() for place in patterns.values() if place.startswith("tests/")}
    assert all((TREE / test).exists() for test in tests), tests
    assert all(in_one_guest(page) for page in IN_GUEST) and len(ON_HOST) == 4, ON_HOST


@pytest.mark.parametrize(("text", "found"), [
    ("Run::\n\n    make run\n    output\n\nmake test is prose.\n", ["make run"]),
    (".. code-block:: console\n\n   # modprobe x\n   # name value\n   make y\n   $ make z  # why\n", ["modprobe x", "make z"]),
    ("::\n\n    unshare sh -c 'echo\n        exit'\n", ["unshare sh -c 'echo\n    exit'"]),
])
def test_collection(tmp_path: Path, text: str, found: list[str]) -> None:
    """Commands are told from output, comments and prose."""
    page = tmp_path / "page.rst"
    page.write_text(text)
    assert list(commands.commands(page)) == found


def script() -> Iterator[str]:
    """Yields the lines of the guest's script: each command, and its status."""
    for page, setup in IN_GUEST.items():
        yield f"cd /root; {setup}"
        for command in in_one_guest(page):
            for name, value in NAMES.items():
                command = command.replace(name, value)
            title = f"@@ {page}: {' '.join(command.split())}"
            yield f"echo {shlex.quote(title)}\n{command}\necho \"status $?\""
        yield f"{{ {UNLOAD}; }} >/dev/null 2>&1 || true"


@pytest.fixture(scope="module")
def ran(tmp_path_factory: pytest.TempPathFactory) -> Session:
    """Returns the session of the commands in a guest."""
    try:
        kalloctop.made()
    except Unreachable as reason:
        pytest.skip(f"kalloctop cannot be built: {reason}")
    file = tmp_path_factory.mktemp("commands") / "commands.sh"
    file.write_text("".join(f"{line}\n" for line in script()))
    return in_guest("sh /commands.sh 2>&1", "--timeout", "300", "--add", f"{file}:/")


@pytest.mark.long
def test_in_guest(ran: Session) -> None:
    """The commands of the pages succeed, one after the other."""
    sections = {name.strip(): text for name, text in ran.sections().items()}
    assert len(sections) == sum(len(set(in_one_guest(page))) for page in IN_GUEST), sections
    wrong = [f"{command}\n{text}" for command, text in sections.items() if not f"\n{text}".endswith("\nstatus 0\n")]
    assert not wrong, "\n".join(wrong)


@pytest.mark.long
@pytest.mark.parametrize("command", ON_HOST)
def test_on_host(tmp_path: Path, command: str) -> None:
    """The commands of this machine succeed."""
    (tmp_path / "script").write_text("#!/bin/sh\nuname -r\n")
    (tmp_path / "script").chmod(0o755)
    (tmp_path / "scripts").symlink_to(TREE / "scripts")
    done = subprocess.run(["sh", "-c", command], cwd=tmp_path, capture_output=True, text=True, stdin=subprocess.DEVNULL,
                          check=False, env=os.environ)
    print(done.stdout, done.stderr)
    assert done.returncode == 0 and done.stdout, done
