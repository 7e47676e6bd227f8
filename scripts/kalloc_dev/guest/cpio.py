# SPDX-License-Identifier: GPL-2.0
"""The guest's files, as cpio archives ("newc") that the kernel unpacks one after another.

Written here and not by cpio(1), since owners are root's whoever builds it, and device
nodes need no privilege.
"""

import os
import stat
import tarfile
from pathlib import Path, PurePosixPath
from typing import BinaryIO

BLOCK = 512

# What every guest has. /bin and the like are links into /usr, in a busybox's root too.
MERGED = ("bin", "sbin", "lib", "lib64")
FOLDERS = (*MERGED, "usr", "usr/bin", "usr/sbin", "usr/lib", "etc", "tmp", "root", "run", "var",
           "proc", "sys", "dev")


def _real(path: str) -> str:
    """The path without its leading slash, past the links at the top."""
    path = path.strip("/")
    return f"usr/{path}" if path.split("/")[0] in MERGED and "/" in path else path


class Archive:
    """Writes one archive to `out`. Folders on the way to a file are made as needed."""

    def __init__(self, out: BinaryIO) -> None:
        self._out = out
        self._inode = 0
        self._folders: set[str] = set()

    def __enter__(self) -> "Archive":
        return self

    def __exit__(self, *_: object) -> None:
        self._entry("TRAILER!!!", 0, b"")
        # The next archive, or the end of the file, starts on a block of its own.
        self._out.write(b"\0" * (-self._out.tell() % BLOCK))

    def folder(self, path: str, mode: int = 0o755) -> None:
        """A folder, and those above it."""
        self._above(path)
        self._folders.add(_real(path))
        self._entry(path, stat.S_IFDIR | mode, b"")

    def file(self, path: str, data: bytes, mode: int = 0o644) -> None:
        """A file with this content."""
        self._above(path)
        self._entry(path, stat.S_IFREG | mode, data)

    def link(self, path: str, target: str) -> None:
        """A symbolic link."""
        self._above(path)
        self._entry(path, stat.S_IFLNK | 0o777, target.encode())

    def device(self, path: str, mode: int, major: int, minor: int) -> None:
        """A device node or a FIFO; `mode` says which."""
        self._above(path)
        self._entry(path, mode, b"", major, minor)

    def copy(self, source: Path, path: str) -> None:
        """A file or a folder of the host with all that is in it, modes kept."""
        if not source.is_dir():
            self.file(path, source.read_bytes(), stat.S_IMODE(source.stat().st_mode))
            return
        self.folder(path, stat.S_IMODE(source.stat().st_mode))
        for below in sorted(os.scandir(source), key=lambda below: below.name):
            inner = f"{path}/{below.name}"
            if below.is_symlink():
                self.link(inner, os.readlink(below.path))
            elif below.is_dir() or below.is_file():
                self.copy(Path(below.path), inner)

    def tar(self, source: Path) -> None:
        """All of a tar file, owners kept."""
        with tarfile.open(source) as tar:
            for member in tar:
                path, mode, owner = member.name.removeprefix("."), member.mode, (member.uid, member.gid)
                if member.isdir():
                    self._folders.add(_real(path))
                    self._entry(path, stat.S_IFDIR | mode, b"", owner=owner)
                elif member.issym():
                    self._entry(path, stat.S_IFLNK | 0o777, member.linkname.encode(), owner=owner)
                elif member.isreg() or member.islnk():
                    # A hard link becomes a copy of what it names.
                    content = tar.extractfile(member)
                    assert content
                    self._entry(path, stat.S_IFREG | mode, content.read(), owner=owner)
                elif member.ischr() or member.isblk():
                    kind = stat.S_IFCHR if member.ischr() else stat.S_IFBLK
                    self._entry(path, kind | mode, b"", member.devmajor, member.devminor, owner)

    def _above(self, path: str) -> None:
        for above in reversed(PurePosixPath(_real(path)).parents):
            name = str(above)
            if name != "." and name not in self._folders:
                self._folders.add(name)
                self._entry(name, stat.S_IFDIR | 0o755, b"")

    def _entry(self, path: str, mode: int, data: bytes, major: int = 0, minor: int = 0,
               owner: tuple[int, int] = (0, 0)) -> None:
        name = _real(path).encode() + b"\0"
        if name == b"\0":
            return  # the root itself: the kernel has made it
        self._inode += 1
        links = 2 if stat.S_ISDIR(mode) else 1
        fields = (self._inode, mode, *owner, links, 0, len(data), 0, 0, major, minor, len(name), 0)
        header = b"070701" + b"".join(b"%08X" % field for field in fields) + name
        self._out.write(header + b"\0" * (-len(header) % 4))
        self._out.write(data + b"\0" * (-len(data) % 4))
