# SPDX-License-Identifier: GPL-2.0-only
"""Modules are unloaded while readers are active: first the rows disappear, then the file. No reader
pins or breaks anything.
"""

import errno
import os
import subprocess
import time

import exercise
from seeking import error_of, opened, rest
from slabinfo import HEADER, table

OURS = ("/proc/kallocinfo", "/sys/kernel/debug/kalloc", "/sys/module/kalloc", "/sys/module/kalloc_exercise")
# The errors of opening, reading and seeking on a removed file.
GONE = (errno.ENOENT, errno.EIO, errno.EINVAL)
ROUNDS = 4


def check() -> None:
    """Runs one stopped reader, then several endless ones; at the end, nothing remains."""
    stopped_reader()
    busy_readers()


def stopped_reader() -> None:
    """The reader is stopped in the middle; the modules are unloaded without waiting for it."""
    text = exercise.read().encode()
    with opened() as middle, opened() as start, opened("/proc/slabinfo") as bound:
        seen = os.read(middle, 400) + os.read(middle, 1)
        assert text.startswith(seen) and len(seen) == 401, seen
        exercise.rmmod("kalloc_exercise")
        # The reader may still process the bytes that it has; no others follow.
        assert text[len(seen):].startswith(rest(middle))
        assert rest(start).decode() == HEADER == exercise.read()
        os.lseek(middle, 0, os.SEEK_SET)
        assert rest(middle).decode() == HEADER

        os.lseek(middle, 0, os.SEEK_SET)
        exercise.rmmod("kalloc")
        for descriptor in (middle, start, bound):
            assert error_of(lambda file=descriptor: os.read(file, 1)) == errno.EIO  # type: ignore[misc]
            assert error_of(lambda file=descriptor: os.lseek(file, 0, os.SEEK_SET)) == errno.EINVAL  # type: ignore[misc]
        nothing_left()
    # The mount outlives the file, and shows nothing; after unmounting, the kernel's own file is
    # visible.
    assert error_of(lambda: os.open("/proc/slabinfo", os.O_RDONLY)) == errno.ENOENT
    subprocess.run(["umount", "/proc/slabinfo"], check=True)
    kernels = exercise.rows("/proc/slabinfo")
    assert len(kernels) > 20 and not any(row.name.startswith("exercise_") for row in kernels)


def busy_readers() -> None:
    """The readers read, seek and reopen the file endlessly; each complete file must be valid."""
    stop = os.open("/run/stop", os.O_CREAT | os.O_TRUNC | os.O_RDWR)
    readers = [os.fork() or read_on(stop, size) for size in (1 << 12, 61)]
    try:
        for _ in range(ROUNDS):
            exercise.modprobe("kalloc_exercise")
            time.sleep(0.1)
            exercise.rmmod("kalloc_exercise", "kalloc")
    finally:
        os.write(stop, b"now")
        os.close(stop)
    for reader in readers:
        assert os.waitstatus_to_exitcode(os.waitpid(reader, 0)[1]) == 0, "a reader saw a broken file, or none at all"
    nothing_left()


def read_on(stop: int, size: int) -> int:
    """Runs one reader in its own process: it must have seen files, and files with rows."""
    status, files, with_rows = 1, 0, 0
    try:
        while not os.fstat(stop).st_size:
            try:
                with opened() as descriptor:
                    for _ in range(3):
                        found = table(rest(descriptor, size).decode())
                        files, with_rows = files + 1, with_rows + bool(found)
                        os.lseek(descriptor, 0, os.SEEK_SET)
            except OSError as error:
                if error.errno not in GONE:
                    raise
        status = 0 if files and with_rows else 2
    except (OSError, ValueError) as error:
        print(error, flush=True)
    finally:
        os._exit(status)


def nothing_left() -> None:
    """Checks that no trace of the modules remains."""
    left = [path for path in OURS if os.path.exists(path)]
    assert not left, left
