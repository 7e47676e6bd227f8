# SPDX-License-Identifier: GPL-2.0-only
"""The environment of a guest's command, and its output: nothing is lost, added or changed."""

import hashlib
import subprocess
from pathlib import Path

import pytest

from kalloc_dev.core.paths import TREE

GUEST = r"""
set -e
# Messages in the kernel log while the output is transferred.
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
    stat -c '%n %a %u:%g %F' /plain /opt/deep/script /usr/bin/tool /tmp/tool /directory/sub /directory/link
    /opt/deep/script
    cat '/directory/sub/with space'
    readlink /directory/link
    nproc
    grep -o 'kalloc_test=1' /proc/cmdline
    # A background process must not keep the guest alive.
    sleep 1000 &
    setsid sleep 1000 &
} >&2
# The status that scripts/vm has for a guest that died. Here the command ends with it, and no message follows.
exit 126
"""

EXPECTED = """\
by-name
/plain 640 0:0 regular file
/opt/deep/script 755 0:0 regular file
/usr/bin/tool 711 0:0 regular file
/tmp/tool 711 0:0 regular file
/directory/sub 750 0:0 directory
/directory/link 777 0:0 symbolic link
ran
inside
sub/with space
3
kalloc_test=1
"""


Done = subprocess.CompletedProcess[bytes]


@pytest.fixture(scope="module")
def done(tmp_path_factory: pytest.TempPathFactory) -> Done:
    """Runs one guest."""
    here = tmp_path_factory.mktemp("added")
    for path, text, mode in (("plain", "x", 0o640), ("script", "#!/bin/sh\necho ran\n", 0o755),
                             ("tool", "x", 0o711), ("directory/sub/with space", "inside\n", 0o644)):
        (here / path).parent.mkdir(parents=True, exist_ok=True)
        (here / path).write_text(text)
        (here / path).chmod(mode)
    (here / "directory/sub").chmod(0o750)
    (here / "directory/link").symlink_to("sub/with space")
    return subprocess.run(
        [TREE / "scripts/vm", "--cpus", "3", "--append", "kalloc_test=1",
         "--add", "plain", "--add", "script:/opt/deep/script", "--add", "tool:/bin",
         "--add", f"{here}/tool:/tmp/", "--add", "directory", "--", GUEST],
        cwd=here, capture_output=True, check=False)


def printed(done: Done) -> tuple[str, str, str]:
    """Returns the digest, the other lines of standard error, and the path of the log."""
    digest, _, told = done.stderr.decode(errors="replace").partition("\n")
    told, _, log = told.rpartition("    kernel log: ")
    return digest, told, log.strip()


def test_status(done: Done) -> None:
    """The status is the command's, even one that scripts/vm uses for a guest that died."""
    assert done.returncode == 126


def test_standard_output(done: Done) -> None:
    """Every byte of the output arrives."""
    assert hashlib.sha256(done.stdout).hexdigest() == printed(done)[0]


def test_environment(done: Done) -> None:
    """The command finds its files, devices and CPUs."""
    assert printed(done)[1] == EXPECTED


def test_log(done: Done) -> None:
    """The log is a file without carriage returns."""
    assert b"\r" not in Path(printed(done)[2]).read_bytes()
