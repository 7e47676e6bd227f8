# SPDX-License-Identifier: GPL-2.0-only
"""A guest: QEMU boots a kernel and runs one command, whose status is returned."""

import fcntl
import os
import re
import secrets
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import termios
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

from kalloc_dev.core import store
from kalloc_dev.core.paths import BUILD, LOGS
from kalloc_dev.guest import streams, userland
from kalloc_dev.guest.cpio import Archive
from kalloc_dev.kernel.build import Kernel
from kalloc_dev.modules import user_programs
from kalloc_dev.package import kalloctop
from kalloc_dev.test import dmesg
from kalloc_dev.toolchain.arch import X86
from rust_kbuild.console import say

TIMEOUT, MISTAKE, DEAD = 124, 125, 126
# The status of a shell's command that writes to a closed pipe.
UNREAD = 128 + signal.SIGPIPE
# The end of the message that a guest is booted again.
AGAIN = "before its command started: once more"
LOGS_KEPT = 40
# The share of a boot's time limit that may pass without a line in the log.
SILENT = 1 / 3
# The time limits, in seconds, for a silent console, and for the console to print all that the
# kernel has logged.
LAG_SILENT, LAG = 15.0, 120.0

INIT = Path(__file__).with_name("init.sh")


@dataclass
class Guest:
    """A kernel to boot, and a command to run there.

    A kernel without ACPI does not detect `nodes`. `firmware` is that of a UEFI machine with its
    variables, in place of a BIOS. `stdin` is a file descriptor whose bytes reach the command.
    `plugin` is a plugin of QEMU, with its parameters.
    """

    kernel: Kernel
    command: str
    cpus: int = 2
    nodes: int = 1
    memory: int = 1024
    icount: bool = False
    la57: bool = False
    kvm: bool = False
    append: str = ""
    timeout: float = 300.0
    boot_seconds: float = 180.0
    add: list[tuple[Path, str]] = field(default_factory=list)
    packages: tuple[str, ...] = ()
    devices: tuple[str, ...] = ()
    modules: Path | None = None
    interactive: bool = False
    firmware: tuple[Path, ...] = ()
    stdin: int | None = None
    plugin: str = ""

    @property
    def listens(self) -> bool:
        """Returns whether the guest has a port for input."""
        return self.interactive or self.stdin is not None


def icount_shift(cpus: int) -> int:
    """Returns the binary logarithm of the nanoseconds that an instruction takes with `icount`.

    Of several processors one runs at a time, so each finds that this time has passed in between.
    The kernel does not boot if that time is too short.
    """
    return 0 if cpus == 1 else 3


@dataclass
class Result:
    """The result of a guest.

    `status` is the command's if the command has ended, else TIMEOUT, DEAD, UNREAD, or MISTAKE if
    the output could not be written. A guest without `boot_seconds` died before its command started.
    """

    status: int
    log: Path
    boot_seconds: float
    ended: bool = False


def boot(guest: Guest, out: BinaryIO = sys.stdout.buffer, err: BinaryIO = sys.stderr.buffer) -> Result:
    """Runs the command in a fresh guest; copies its output to `out` and `err` as it arrives."""
    with _scratch() as scratch, _terminal_kept(guest.interactive):
        initrd, mark = scratch / "initrd", secrets.token_hex(16)
        _write_initrd(guest, initrd, mark)

        def run() -> Result:
            with _new_log(guest.kernel.name) as log:
                return _Run(guest, initrd, mark.encode(), log, out, err).result()

        result = run()
        if result.status == DEAD and not result.boot_seconds:
            # One in some hundred emulated boots hangs or oopses, on a busy machine.
            say(f"    the guest died ({result.log}) {AGAIN}")
            result = run()
    return result


@contextmanager
def _scratch() -> Iterator[Path]:
    """Yields a new directory, and removes those of runs that were killed."""
    BUILD.mkdir(exist_ok=True)
    with store.lock(BUILD / "vm.lock"):
        for path in BUILD.glob("vm-*/"):
            with suppress(FileNotFoundError, BlockingIOError), _locked(path):
                shutil.rmtree(path, ignore_errors=True)
        scratch = tempfile.TemporaryDirectory(prefix="vm-", dir=BUILD)
        lock = ExitStack()
        lock.enter_context(_locked(Path(scratch.name)))
    with lock, scratch:
        yield Path(scratch.name)


@contextmanager
def _terminal_kept(interactive: bool) -> Iterator[None]:
    """Restores the terminal, which QEMU makes raw and does not restore when it is killed."""
    if not interactive:
        yield
        return
    settings = termios.tcgetattr(sys.stdin)
    try:
        yield
    finally:
        termios.tcsetattr(sys.stdin, termios.TCSADRAIN, settings)


@contextmanager
def _new_log(name: str) -> Iterator[Path]:
    """Yields a log file that no concurrent guest uses.

    The oldest logs are removed, except those of running guests.
    """
    LOGS.mkdir(parents=True, exist_ok=True)
    numbers = sorted(int(match[1]) for path in LOGS.iterdir()
                     if (match := re.fullmatch(rf"vm-{name}-(\d+)\.log", path.name)))
    for number in numbers[:-LOGS_KEPT]:
        _remove_unused(LOGS / f"vm-{name}-{number}.log")
    number = numbers[-1] if numbers else 0
    while True:
        number += 1
        path = LOGS / f"vm-{name}-{number}.log"
        try:
            file = path.open("xb")
            break
        except FileExistsError:
            continue
    with file:
        fcntl.flock(file, fcntl.LOCK_SH)
        yield path


def _remove_unused(log: Path) -> None:
    with suppress(FileNotFoundError, BlockingIOError), _locked(log):
        log.unlink()


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """Locks a file or a directory; raises BlockingIOError if another run uses it."""
    opened = os.open(path, os.O_RDONLY)
    try:
        fcntl.flock(opened, fcntl.LOCK_EX | fcntl.LOCK_NB)
        yield
    finally:
        os.close(opened)


def _write_initrd(guest: Guest, initrd: Path, mark: str) -> None:
    arch = guest.kernel.arch
    with initrd.open("wb") as out:
        for image in (userland.userland(guest.packages, arch), guest.modules):
            if image:
                with image.open("rb") as part:
                    shutil.copyfileobj(part, out, 1 << 20)
        with Archive(out) as archive:
            archive.file("init", INIT.read_bytes(), 0o755)
            archive.file(".vm/command", os.fsencode(guest.command))
            archive.file(".vm/mark", mark.encode())
            if guest.listens:
                archive.file(".vm/listens", b"")
            if guest.interactive:
                archive.file(".vm/terminal", f"TERM={os.environ.get('TERM', 'linux')}\n".encode())
            archive.copy(user_programs.program(arch), "usr/bin/kalloc-table")
            if arch is X86 and (top := kalloctop.program_if_made()):
                archive.copy(top, "usr/bin/kalloctop")
            for path, destination in guest.add:
                archive.copy(path, destination)


def _pipe() -> tuple[int | None, int | None]:
    return os.pipe()


class _Run:
    """A QEMU process, and the pipes to which its ports write."""

    def __init__(self, guest: Guest, initrd: Path, mark: bytes, log: Path, out: BinaryIO, err: BinaryIO) -> None:
        self.guest = guest
        self.log = log
        self._start = time.monotonic()
        pipes = [os.pipe() for _ in range(3)]
        ends = [write for _, write in pipes]
        heard, self._input = _pipe() if guest.listens else (None, None)
        image = guest.kernel.packed if guest.la57 or guest.firmware else guest.kernel.image
        assert image
        argv = guest.kernel.arch.tools().argv(self._qemu(image, initrd, ends, heard), binds=[image, *guest.firmware])
        stdin = None if guest.interactive else subprocess.DEVNULL
        passed = [*ends, *([] if heard is None else [heard])]
        with log.open("ab") as errors:
            self._process = subprocess.Popen(argv, stdin=stdin, stdout=None if guest.interactive else errors,
                                             stderr=errors, pass_fds=passed)
        for end in passed:
            os.close(end)
        from_out, from_err, status = (read for read, _ in pipes)
        self._status = open(status, "rb", buffering=0)
        self._outputs = [streams.Output(source, sink, mark, self._process.kill)
                         for source, sink in ((from_out, out), (from_err, err))]

    def _qemu(self, image: Path, initrd: Path, ends: Sequence[int], heard: int | None) -> list[str]:
        guest = self.guest
        arch = guest.kernel.arch
        # The self-tests of the kernel's ciphers take a quarter of the time of an emulated boot.
        append = (f"{arch.append} cryptomgr.notests console_msg_format=syslog ignore_loglevel panic=-1 oops=panic "
                  f"{guest.append}").strip()
        if guest.icount:
            accelerator = ["-accel", "tcg", "-icount", f"shift={icount_shift(guest.cpus)},sleep=off"]
        else:
            accelerator = ["-accel", "kvm" if guest.kvm else "tcg,thread=multi"]
        # The last parameter of a name takes effect.
        emulated = f"{arch.processor},la57=on" if guest.la57 else arch.processor
        memory = (guest.memory + 2 * (initrd.stat().st_size >> 20)) // guest.nodes
        argv = [
            *arch.qemu, "-nodefaults", "-no-user-config", "-display", "none", "-no-reboot",
            *accelerator, "-cpu", "host" if guest.kvm else emulated,
            "-smp", f"{guest.cpus},sockets={guest.cpus}", "-m", f"{memory * guest.nodes}M",
            "-kernel", str(image), "-initrd", str(initrd), "-append", append,
            "-chardev", f"file,id=log,path={self.log},append=on", "-serial", "chardev:log",
            # The driver creates queues for every possible port: 31 by default.
            "-device", "virtio-serial-pci,max_ports=5",
        ]
        # Processors take turns.
        for node in range(guest.nodes) if guest.nodes > 1 else ():
            argv += ["-object", f"memory-backend-ram,id=node{node},size={memory}M", "-numa", f"node,memdev=node{node}"]
        for number, (name, end) in enumerate(zip(("out", "err", "status"), ends), start=1):
            argv += ["-chardev", f"file,id={name},path=/proc/self/fd/{end}",
                     "-device", f"virtserialport,chardev={name},nr={number}"]
        if heard is not None:
            argv += ["-chardev", f"file,id=in,path=/dev/null,input-path=/proc/self/fd/{heard}",
                     "-device", "virtserialport,chardev=in,nr=4"]
        for device in guest.devices:
            argv += ["-device", device]
        if guest.plugin:
            argv += ["-plugin", guest.plugin]
        for unit, flash in enumerate(guest.firmware):
            argv += ["-drive", f"if=pflash,format=raw,unit={unit},snapshot=on,file={flash}"]
        if guest.interactive:
            argv += ["-chardev", "stdio,id=terminal,signal=off", "-device", "virtconsole,chardev=terminal,nr=0"]
        return argv

    def result(self) -> Result:
        """Waits for the command to end, or for the guest to die."""
        try:
            result = self._follow()
        finally:
            self._process.kill()
            self._process.wait()
        for output in self._outputs:
            output.finish()
        # A serial console ends its lines with a carriage return and a line feed.
        self.log.write_bytes(self.log.read_bytes().replace(b"\r\n", b"\n"))
        for error in (output.error for output in self._outputs if output.error):
            if not isinstance(error, BrokenPipeError):
                say(f"error: the output cannot be written: {error.strerror}")
                return Result(MISTAKE, self.log, result.boot_seconds, ended=True)
            return Result(UNREAD, self.log, result.boot_seconds, ended=True)
        return result

    def _follow(self) -> Result:
        if self._read_while_booting() != "ready":
            return Result(DEAD, self.log, 0.0)
        boot_seconds = time.monotonic() - self._start
        self._send_input()
        said = self._read_line(None if self.guest.interactive else self.guest.timeout)
        if said is None:
            return Result(TIMEOUT, self.log, boot_seconds)
        if not said.startswith("exit "):
            return Result(DEAD, self.log, boot_seconds)
        for output in () if self.guest.interactive else self._outputs:
            output.finish()
        self._wait_for_log()
        return Result(int(said.split()[1]), self.log, boot_seconds, ended=True)

    def _send_input(self) -> None:
        if (port := self._input) is None:
            return
        if self.guest.stdin is not None:
            streams.feed(port, self.guest.stdin)
        else:
            signal.signal(signal.SIGWINCH, lambda *_: streams.send_size(port))
            streams.send_size(port)

    def _read_while_booting(self) -> str | None:
        """Returns the first line of the status port: empty if the guest ends, None if it hangs."""
        deadline = self._start + self.guest.boot_seconds
        while (now := time.monotonic()) < deadline:
            # A kernel that is booting logs messages, even on a busy machine.
            silent_since = now - (time.time() - self.log.stat().st_mtime)
            left = min(deadline, silent_since + SILENT * self.guest.boot_seconds) - now
            if left <= 0:
                return None
            if select.select([self._status], [], [], min(left, 1.0))[0]:
                return self._read_line(left)
        return None

    def _read_line(self, seconds: float | None) -> str | None:
        """Returns the next line of the status port: empty if the guest ends, None if it is late."""
        deadline = None if seconds is None else time.monotonic() + seconds
        line = b""
        while not line.endswith(b"\n"):
            left = None if deadline is None else max(0.0, deadline - time.monotonic())
            if not select.select([self._status], [], [], left)[0]:
                return None
            byte = self._status.read(1)
            if not byte:
                return ""
            line += byte
        return line.decode().strip()

    def _wait_for_log(self) -> None:
        """Waits until the kernel's console, which may lag behind, has printed the end mark."""
        start = time.monotonic()
        size, grown = -1, start
        while self._process.poll() is None:
            now = time.monotonic()
            with self.log.open("rb") as log:
                if log.seek(0, os.SEEK_END) != size:
                    size, grown = log.tell(), now
                log.seek(max(0, size - 4096))
                if dmesg.END.encode() in log.read() or now - grown > LAG_SILENT or now - start > LAG:
                    return
            time.sleep(0.01)
