# SPDX-License-Identifier: GPL-2.0-only
"""Operations of readers on the file: any size of read, from any offset, in any order; and access by
other users.
"""

import errno
import os
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import exercise

NOBODY = 65534


@contextmanager
def opened(path: str = exercise.FILE) -> Iterator[int]:
    """Returns a descriptor of the file."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def rest(descriptor: int, size: int = 4096) -> bytes:
    """Returns the rest of the file, in reads of this size."""
    text = b""
    while data := os.read(descriptor, size):
        assert len(data) <= size
        text += data
    return text


def error_of(call: Callable[[], object]) -> int:
    """Returns the errno of a call; 0 if it succeeds."""
    try:
        call()
    except OSError as error:
        return error.errno or 0
    return 0


def check() -> None:
    """Runs all checks of reading, on a file that does not change."""
    exercise.hold()
    text = exercise.read().encode()
    reads(text)
    positions(text)
    two_at_once(text)
    strangers()


def reads(text: bytes) -> None:
    """Reads in chunks, and again from the start."""
    with opened() as descriptor:
        for size in (1, 3, 160, 4096, 1 << 20):
            assert rest(descriptor, size) == text, size
            assert os.read(descriptor, size) == b"", "there is something after the end"
            assert os.lseek(descriptor, 0, os.SEEK_SET) == 0


def positions(text: bytes) -> None:
    """Reads from every position, with pread and after lseek."""
    with opened() as descriptor:
        for position in range(len(text)):
            data = os.pread(descriptor, 200, position)
            assert data and text[position:position + 200].startswith(data), position
        assert os.pread(descriptor, 200, len(text)) == os.pread(descriptor, 200, 1 << 40) == b""
        assert rest(descriptor) == text, "pread moved the file's own position"
        # Backwards: plain reading already goes forwards.
        for position in (*range(len(text), 0, -37), 0):
            assert os.lseek(descriptor, position, os.SEEK_SET) == position
            assert rest(descriptor) == text[position:], position
        os.lseek(descriptor, 100, os.SEEK_SET)
        assert os.lseek(descriptor, 50, os.SEEK_CUR) == 150
        assert rest(descriptor) == text[150:]
        for offset, whence in ((-1, os.SEEK_SET), (0, os.SEEK_END)):
            assert error_of(lambda by=offset, of=whence: os.lseek(descriptor, by, of)) == errno.EINVAL  # type: ignore[misc]


def two_at_once(text: bytes) -> None:
    """Readers do not disturb each other."""
    with opened() as one, opened() as other:
        pieces = [b"", b""]
        while data := os.read(one, 7):
            pieces[0] += data
            pieces[1] += os.read(other, 5)
        assert pieces[0] == text and text.startswith(pieces[1]) and pieces[1]
        assert pieces[1] + rest(other) == text


def strangers() -> None:
    """Only root can open the file, or those in debugfs, even if the directory above permits it."""
    here = "/run/kalloc"
    os.mkdir(here)
    subprocess.run(["mount", "--bind", "/sys/kernel/debug/kalloc", here], check=True)
    files = [exercise.FILE, "/proc/slabinfo", *(entry.path for entry in os.scandir(here))]
    assert f"{here}/sites" in files and f"{here}/exercise" in files, files
    child = os.fork()
    if not child:
        status = 1
        try:
            os.setgroups([])
            os.setgid(NOBODY)
            os.setuid(NOBODY)
            allowed = [(path, flags) for path in files for flags in (os.O_RDONLY, os.O_WRONLY, os.O_RDWR)
                       if error_of(lambda to=path, how=flags: os.open(to, how)) != errno.EACCES]  # type: ignore[misc]
            if allowed:
                print("a stranger may open", allowed, flush=True)
            else:
                status = 0
        finally:
            os._exit(status)
    _, status = os.waitpid(child, 0)
    subprocess.run(["umount", here], check=True)
    os.rmdir(here)
    assert status == 0, "not only root may open the files"
