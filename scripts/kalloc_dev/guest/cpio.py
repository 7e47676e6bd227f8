# SPDX-License-Identifier: GPL-2.0-only
"""The guest's files, as cpio archives ("newc") that the kernel unpacks one after another.

The archives are not made by cpio(1): here each owner is root, whichever user builds them, and
device nodes need no privilege.
"""

import os
import stat
import tarfile
from pathlib import Path, PurePosixPath
from typing import BinaryIO

BLOCK = 512

# The directories of every guest. /bin and the like are links into /usr, as in the root of a
# busybox.
MERGED = ("bin", "sbin", "lib", "lib64")
DIRECTORIES = (*MERGED, "usr", "usr/bin", "usr/sbin", "usr/lib", "etc", "tmp", "root", "run", "var",
               "proc", "sys", "dev")


def _real(path: str) -> str:
    """Returns the path without its leading slash, with the links at the top resolved."""
    path = path.strip("/")
    return f"usr/{path}" if path.split("/")[0] in MERGED and "/" in path else path


class Archive:
    """A writer of one archive to `out`, which creates the directories above each file."""

    def __init__(self, out: BinaryIO) -> None:
        self._out = out
        self._inode = 0
        self._directories: set[str] = set()

    def __enter__(self) -> "Archive":
        return self

    def __exit__(self, *_: object) -> None:
        self._entry("TRAILER!!!", 0, b"")
        # The next archive, or the end of the file, must begin at a block boundary.
        self._out.write(b"\0" * (-self._out.tell() % BLOCK))

    def directory(self, path: str, mode: int = 0o755) -> None:
        """Adds a directory and the directories above it."""
        self._above(path)
        self._directories.add(_real(path))
        self._entry(path, stat.S_IFDIR | mode, b"")

    def file(self, path: str, data: bytes, mode: int = 0o644) -> None:
        """Adds a file with this content."""
        self._above(path)
        self._entry(path, stat.S_IFREG | mode, data)

    def link(self, path: str, target: str) -> None:
        """Adds a symbolic link."""
        self._above(path)
        self._entry(path, stat.S_IFLNK | 0o777, target.encode())

    def device(self, path: str, mode: int, major: int, minor: int) -> None:
        """Adds a device node or a FIFO, depending on `mode`."""
        self._above(path)
        self._entry(path, mode, b"", major, minor)

    def copy(self, source: Path, path: str) -> None:
        """Adds a file or a directory tree of the host, with the modes."""
        if not source.is_dir():
            self.file(path, source.read_bytes(), stat.S_IMODE(source.stat().st_mode))
            return
        self.directory(path, stat.S_IMODE(source.stat().st_mode))
        for below in sorted(os.scandir(source), key=lambda below: below.name):
            inner = f"{path}/{below.name}"
            if below.is_symlink():
                self.link(inner, os.readlink(below.path))
            elif below.is_dir() or below.is_file():
                self.copy(Path(below.path), inner)

    def tar(self, source: Path) -> None:
        """Adds the contents of a tar file, with the owners."""
        with tarfile.open(source) as tar:
            for member in tar:
                path, mode, owner = member.name.removeprefix("."), member.mode, (member.uid, member.gid)
                if member.isdir():
                    self._directories.add(_real(path))
                    self._entry(path, stat.S_IFDIR | mode, b"", owner=owner)
                elif member.issym():
                    self._entry(path, stat.S_IFLNK | 0o777, member.linkname.encode(), owner=owner)
                elif member.isreg() or member.islnk():
                    # A hard link becomes a copy of its target.
                    content = tar.extractfile(member)
                    assert content
                    self._entry(path, stat.S_IFREG | mode, content.read(), owner=owner)
                elif member.ischr() or member.isblk():
                    kind = stat.S_IFCHR if member.ischr() else stat.S_IFBLK
                    self._entry(path, kind | mode, b"", member.devmajor, member.devminor, owner)

    def _above(self, path: str) -> None:
        for above in reversed(PurePosixPath(_real(path)).parents):
            name = str(above)
            if name != "." and name not in self._directories:
                self._directories.add(name)
                self._entry(name, stat.S_IFDIR | 0o755, b"")

    def _entry(self, path: str, mode: int, data: bytes, major: int = 0, minor: int = 0,
               owner: tuple[int, int] = (0, 0)) -> None:
        name = _real(path).encode() + b"\0"
        if name == b"\0":
            return  # the root directory: the kernel has made it
        self._inode += 1
        links = 2 if stat.S_ISDIR(mode) else 1
        fields = (self._inode, mode, *owner, links, 0, len(data), 0, 0, major, minor, len(name), 0)
        header = b"070701" + b"".join(b"%08X" % field for field in fields) + name
        self._out.write(header + b"\0" * (-len(header) % 4))
        self._out.write(data + b"\0" * (-len(data) % 4))
