# SPDX-License-Identifier: GPL-2.0-only
"""Namespaces: root privileges for an ordinary user, and root directories that stay unchanged.

Everything runs in a PID namespace that ends with the calling command. After a kill -9 of that
command, no compiler runs and no mount remains.
"""

import os
import shutil
import subprocess
from collections.abc import Iterable, Mapping, Sequence
from functools import cache
from pathlib import Path

from rust_kbuild.console import Failure

# Bind-mounts the directories of $1 onto a scratch top level, and enters it. Mount points can then
# be created without a change to the root directory that every clone shares.
ENTER = r"""
set -eu
root=$1 cwd=$2; shift 2
top=$root/mnt
mount -t tmpfs -o mode=755 top "$top"
cd "$top"
mkdir dev proc sys tmp run home root
for dir in "$root"/*; do
    name=${dir##*/}
    if [ -L "$dir" ]; then cp -P "$dir" "$name"
    elif [ ! -e "$name" ] && [ "$name" != mnt ]; then mkdir "$name"; mount --bind "$dir" "$name"
    fi
done
mount --rbind /dev dev
mount --rbind /sys sys
mount -t proc proc proc 2>/dev/null || mount --rbind /proc proc
mount -t tmpfs -o mode=1777 tmp tmp
while [ "$1" != -- ]; do
    # A directory that is mounted already, which may be read-only, has the paths below it.
    if [ -e ".$1" ]; then :
    elif [ -d "$1" ]; then mkdir -p ".$1"
    else mkdir -p ".${1%/*}"; touch ".$1"
    fi
    mount --rbind "$1" ".$1"
    shift
done
shift
exec chroot . /usr/bin/env -i -C "$cwd" "$@"
"""


def _namespaces(*more: str) -> list[str]:
    user = [] if os.geteuid() == 0 else ["--user", "--map-root-user", "--map-auto"]
    unshare = ["unshare", *user, "--mount", "--pid", "--fork", "--kill-child", *more, "--"]
    return ["setpriv", "--pdeathsig", "KILL", *unshare]


@cache
def require_namespaces() -> None:
    """Fails, with a hint, if this user cannot get root privileges in a namespace."""
    probe = subprocess.run([*_namespaces(), "mount", "-t", "tmpfs", "probe", "/mnt"],
                           capture_output=True, text=True, check=False)
    if probe.returncode == 0:
        return
    reason = probe.stderr.strip() or "no reason given"
    if os.geteuid() == 0:
        raise Failure(f"this root may not mount in a namespace ({reason}): in a container, "
                      "give it CAP_SYS_ADMIN")
    user = os.environ.get("USER") or str(os.geteuid())
    if not shutil.which("newuidmap"):
        raise Failure("not root, and no newuidmap: as root, apt-get install uidmap")
    for file in ("/etc/subuid", "/etc/subgid"):
        if not any(line.split(":")[0] in (user, str(os.geteuid()))
                   for line in Path(file).read_text().splitlines()):
            raise Failure(f"not root, and {user} has no line in {file}: as root, usermod "
                          f"--add-subuids 100000-165535 --add-subgids 100000-165535 {user}")
    raise Failure(f"not root, and user namespaces are refused ({reason}): as root, "
                  "sysctl kernel.unprivileged_userns_clone=1 user.max_user_namespaces=10000")


def as_root(argv: Sequence[str]) -> list[str]:
    """Returns the call that runs a command on the host's files, as root.

    Without root privileges the command runs as root of a user namespace.
    """
    require_namespaces()
    return [*_namespaces("--mount-proc"), *argv]


def without_device(device: str, argv: Sequence[str]) -> list[str]:
    """Returns the call that runs a command to which `device` is a device without a function."""
    if not Path(device).exists():
        return list(argv)
    return as_root(["sh", "-euc", 'mount --bind /dev/null "$1"; shift; exec "$@"', "sh", device, *argv])


def inside(root: Path, argv: Sequence[str], cwd: Path, env: Mapping[str, str],
           binds: Iterable[Path]) -> list[str]:
    """Returns the call that runs a command in `root`, with `binds` at the same paths.

    The command's environment is `env` alone.
    """
    require_namespaces()
    wanted = sorted({str(path) for path in binds if path.exists()})
    variables = [f"{name}={value}" for name, value in env.items()]
    return [*_namespaces(), "sh", "-c", ENTER, "enter", str(root), str(cwd),
            *wanted, "--", *variables, *argv]
