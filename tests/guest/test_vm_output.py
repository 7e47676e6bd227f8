# SPDX-License-Identifier: GPL-2.0
"""What a guest's command finds, and what of it comes out: nothing is lost, added or changed."""

import hashlib
import subprocess
from pathlib import Path

import pytest

from kalloc_dev.core.paths import TREE

GUEST = r"""
set -e
# Noise in the kernel's log while the output flows.
(while :; do echo "<6>noise" >/dev/kmsg; done) &
head -c 3000000 /dev/urandom >/tmp/data
sha256sum /tmp/data | cut -d' ' -f1 >&2
cat /tmp/data
{
    test "$(id -u)" = 0
    test "$(cat; echo end)" = end           # standard input is empty
    test -t 1 && exit 50
    echo by-name >/dev/stderr
    grep -q ' /proc proc ' /proc/mounts && grep -q ' /sys sysfs ' /proc/mounts
    grep -q ' /sys/kernel/debug debugfs ' /proc/mounts
    test -c /dev/null && test -w /tmp && test ! -e /proc/kallocinfo
    test -f /lib/modules/$(uname -r)/modules.dep
    stat -c '%n %a %u:%g %F' /plain /opt/deep/script /usr/bin/tool /tmp/tool /folder/sub /folder/link
    /opt/deep/script
    cat '/folder/sub/with space'
    readlink /folder/link
    nproc
    grep -o 'kalloc_test=1' /proc/cmdline
    # What is left running must not keep the guest alive.
    sleep 1000 &
    setsid sleep 1000 &
} >&2
# As scripts/vm ends for a guest that died; but it is the command that ends so, and nothing more is said.
exit 126
"""

EXPECTED = """\
by-name
/plain 640 0:0 regular file
/opt/deep/script 755 0:0 regular file
/usr/bin/tool 711 0:0 regular file
/tmp/tool 711 0:0 regular file
/folder/sub 750 0:0 directory
/folder/link 777 0:0 symbolic link
ran
inside
sub/with space
3
kalloc_test=1
"""


Done = subprocess.CompletedProcess[bytes]


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> Done:
    """One guest."""
    here = tmp_path_factory.mktemp("added")
    for path, text, mode in (("plain", "x", 0o640), ("script", "#!/bin/sh\necho ran\n", 0o755),
                             ("tool", "x", 0o711), ("folder/sub/with space", "inside\n", 0o644)):
        (here / path).parent.mkdir(parents=True, exist_ok=True)
        (here / path).write_text(text)
        (here / path).chmod(mode)
    (here / "folder/sub").chmod(0o750)
    (here / "folder/link").symlink_to("sub/with space")
    return subprocess.run(
        [TREE / "scripts/vm", "--cpus", "3", "--append", "kalloc_test=1",
         "--add", "plain", "--add", "script:/opt/deep/script", "--add", "tool:/bin",
         "--add", f"{here}/tool:/tmp/", "--add", "folder", "--", GUEST],
        cwd=here, capture_output=True, check=False)


def printed(done: Done) -> tuple[str, str, str]:
    """Returns the digest, the other lines of standard error, and the path of the log."""
    digest, _, told = done.stderr.decode(errors="replace").partition("\n")
    told, _, log = told.rpartition("    kernel log: ")
    return digest, told, log.strip()


def test_status(done: Done) -> None:
    """The status is the command's, even one that scripts/vm has for a guest that died."""
    assert done.returncode == 126


def test_standard_output(done: Done) -> None:
    """Every byte comes out."""
    assert hashlib.sha256(done.stdout).hexdigest() == printed(done)[0]


def test_environment(done: Done) -> None:
    """The command finds its files, devices and processors."""
    assert printed(done)[1] == EXPECTED


def test_log(done: Done) -> None:
    """The log is a file without carriage returns."""
    assert b"\r" not in Path(printed(done)[2]).read_bytes()
