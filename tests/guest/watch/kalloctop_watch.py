# SPDX-License-Identifier: GPL-2.0-only
"""Runs in a guest: `kalloctop watch` shows modules of the distribution and a planted one, and leaves
the system as it was, however it ends.
"""

import json
import os
import signal
import subprocess
import sys
import threading
import time
import traceback
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

from terminal import Terminal

PROGRAM = "kalloctop"
PLANTED, LEAKED = "kalloc_watched", 13
LIST = Path("/sys/kernel/debug/kalloc/watch")
SHARES = Path("/run/kalloctop")
DEVICE = "/dev/nullb0"
# The seconds in which the planted module is loaded and unloaded.
WINDOW = "15"
OLDER = "kalloc_watched was loaded before the watch: its older blocks are not counted."
KERNEL = "Memory that the kernel allocates for a module (sk_buff, bio, mempool) has other rows: `kalloctop watch all`."

# The planted module allocates a long array.
LOST = "904 blocks are lost, and LIVE is too small: the table was full (load kalloc_watch with a larger order=), " \
       "or an array had more than 4096."


def modprobe(*words: str) -> None:
    """Loads or unloads modules."""
    subprocess.run(["modprobe", *words], check=True)


def loaded() -> set[str]:
    """Returns the names of kalloc's loaded modules."""
    lines = Path("/proc/modules").read_text(encoding="ascii").splitlines()
    return {name for name in (line.split()[0] for line in lines) if name.startswith("kalloc")}


def run(*words: str, status: int = 0, user: int | None = None) -> tuple[str, str]:
    """Returns the output and the error messages of the program."""
    done = subprocess.run([PROGRAM, *words], capture_output=True, text=True, check=False, timeout=120, user=user)
    assert done.returncode == status, (words, done)
    return done.stdout, done.stderr


def ended(program: subprocess.Popen[bytes]) -> int:
    """Returns the status of a program, which must end soon."""
    try:
        return program.wait(30)
    finally:
        program.kill()


@contextmanager
def later(*steps: Callable[[], object]) -> Iterator[None]:
    """Waits in the background until kalloc_watch watches, and then runs the steps."""
    def work() -> None:
        while not Path("/proc/kallocwatch").exists():
            time.sleep(0.05)
        for step in steps:
            step()

    thread = threading.Thread(target=work)
    thread.start()
    yield
    thread.join()


def plant() -> None:
    """Loads the planted module, which leaks, and unloads it."""
    modprobe(PLANTED, f"leak={LEAKED}")
    modprobe("-r", PLANTED)


def prints() -> None:
    """Each printed form has the functions of the module and the limits, and nothing stays loaded."""
    with later(plant):
        out, _ = run("watch", "kalloc-watched", "-1", "-t", WINDOW, "-s", "live")
    lines = [line.split() for line in out.splitlines()]
    assert lines[3][:2] == [f"{PLANTED}/watched_leak", str(LEAKED)], out
    assert out.endswith(f"\n\n{KERNEL}\n{LOST}\n{PLANTED} is not loaded now.\n"), out
    assert not loaded()
    with later(plant):
        out, _ = run("watch", PLANTED, "--json", "-t", WINDOW, "--by", "site")
    read = json.loads(out)
    leak, = (row for row in read["rows"] if row["name"].startswith(f"{PLANTED}/watched_leak+0x"))
    assert (leak["live"], leak["site"]["allocs"], leak["site"]["function"]) == (LEAKED, LEAKED, "watched_leak"), leak
    assert {row["site"]["module"] for row in read["rows"]} == {PLANTED}
    assert read["notes"] == [KERNEL, LOST, f"{PLANTED} is not loaded now."], read["notes"]
    with later(plant):
        out, _ = run("watch", PLANTED, "--leaks=1", "-t", WINDOW, "-n", "1")
    assert out.splitlines()[1].split()[:2] == [f"{PLANTED}/watched_leak", str(LEAKED)], out
    assert not loaded()


def shows_a_module_at_work() -> None:
    """The live view has the functions of a module of the distribution while it works."""
    with Terminal(PROGRAM, "watch", "null_blk", "-d", "0.3", LANG="C.UTF-8") as terminal:
        terminal.until("the note", lambda lines: any(line.startswith("null_blk is not loaded now.") for line in lines))
        modprobe("null_blk", "nr_devices=1", "gb=1")
        with open(DEVICE, "rb") as device:
            device.read(1 << 20)
        lines = terminal.until("a function", lambda lines: any(line.startswith("null_blk/null_") for line in lines))
        assert not any("+0x" in line for line in lines if line.startswith("null_blk/")), lines
        assert lines[0].startswith("kalloctop  /proc/kallocwatch"), lines
        assert any(line.startswith("Memory that the kernel allocates for a module") for line in lines), lines
        terminal.type("b")
        terminal.until("the module", lambda lines: any(line.split()[:1] == ["null_blk"] for line in lines))
        assert loaded() == {"kalloc", "kalloc_watch"}
        terminal.type("q")
        assert terminal.end() == 0
        assert terminal.screen.left
    assert not loaded()
    # Its functions own its memory until it is unloaded.
    with later(lambda: modprobe("-r", "null_blk")):
        out, _ = run("watch", "null_blk", "-1", "-t", "2")
    assert "null_blk was loaded before the watch: its older blocks are not counted." in out, out
    assert not loaded()


def ends_by_signals() -> None:
    """A signal ends it, and is its status; nothing stays loaded."""
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGQUIT):
        with Terminal(PROGRAM, "watch", PLANTED, LANG="C.UTF-8") as terminal:
            terminal.until("the program", lambda lines: lines[0].startswith("kalloctop"))
            assert "kalloc_watch" in loaded()
            terminal.signal(number)
            assert terminal.end() == -number, number
            assert terminal.screen.left
        assert not loaded(), number
        for words in (("-1", "-t", "600"), ("--leaks=600", "-t", "0.1")):
            with subprocess.Popen([PROGRAM, "watch", PLANTED, *words]) as program:
                while not LIST.exists() and program.poll() is None:
                    time.sleep(0.02)
                program.send_signal(number)
                assert ended(program) == -number, (number, words)
            assert not loaded(), (number, words)
    # At any time while it starts.
    for delay in range(12):
        with subprocess.Popen([PROGRAM, "watch", PLANTED, "-1", "-t", "600"]) as program:
            time.sleep(delay / 20)
            program.send_signal(signal.SIGINT)
            assert ended(program) == -signal.SIGINT, delay
        assert not loaded(), delay


def hangs_up() -> None:
    """When its terminal or its pipe is closed, nothing stays loaded."""
    with Terminal(PROGRAM, "watch", PLANTED, LANG="C.UTF-8") as terminal:
        terminal.until("the program", lambda lines: lines[0].startswith("kalloctop"))
        terminal.hang_up()
        assert terminal.end() in (-signal.SIGHUP, 1)
    assert not loaded()
    end, pipe = os.pipe()
    os.close(end)
    done = subprocess.run([PROGRAM, "watch", PLANTED, "-1", "-t", "0.1"], stdout=pipe, stderr=subprocess.PIPE, check=False)
    os.close(pipe)
    assert (done.returncode, done.stderr) == (-signal.SIGPIPE, b""), done
    assert not loaded()


def keeps_a_loaded_watch() -> None:
    """If kalloc_watch is loaded, its list is the same afterwards."""
    modprobe("kalloc")
    run("watch", PLANTED, "-1", "-t", "0.1")
    assert loaded() == {"kalloc"}
    modprobe("kalloc_watch", "modules=null_blk")
    modprobe(PLANTED)
    before = LIST.read_text(encoding="ascii").splitlines()[:-1]
    assert OLDER in run("watch", PLANTED, "-1", "-t", "0.1")[0]
    assert "null_blk was watched already" in run("watch", "null_blk", "-1", "-t", "0.1")[0]
    with Terminal(PROGRAM, "watch", PLANTED, LANG="C.UTF-8") as terminal:
        terminal.until("the program", lambda lines: lines[0].startswith("kalloctop"))
        assert f"{PLANTED} module loaded" in LIST.read_text(encoding="ascii")
        terminal.signal(signal.SIGTERM)
        assert terminal.end() == -signal.SIGTERM
    assert LIST.read_text(encoding="ascii").splitlines()[:-1] == before
    assert loaded() == {"kalloc", "kalloc_watch", PLANTED}
    modprobe("-r", PLANTED)
    # An entry that is added meanwhile keeps the module loaded.
    modprobe("-r", "kalloc_watch")
    with later(lambda: LIST.write_text("add null_blk", encoding="ascii")):
        run("watch", PLANTED, "-1", "-t", "3")
    assert "kalloc_watch" in loaded() and LIST.read_text(encoding="ascii").splitlines()[1:-1] == before[1:]
    modprobe("-r", "kalloc_watch")
    assert not loaded()


def sharing() -> int:
    """Returns the number of sessions that watch the planted module."""
    try:
        inode = (SHARES / f"entry.{PLANTED}").stat().st_ino
    except FileNotFoundError:
        return 0
    locks = [line.split() for line in Path("/proc/locks").read_text(encoding="ascii").splitlines()]
    return sum(lock[1] == "FLOCK" and lock[3] == "READ" and lock[5].endswith(f":{inode}") for lock in locks)


def shares_a_watch() -> None:
    """Of two sessions that watch the same module, the first to end leaves the watch of the other."""
    for first in range(2):
        before = loaded()
        programs = [subprocess.Popen([PROGRAM, "watch", PLANTED, "-1", "-t", "600"]) for _ in range(2)]
        try:
            while sharing() < 2 or not LIST.exists() or PLANTED not in LIST.read_text(encoding="ascii"):
                time.sleep(0.05)
            programs[first].terminate()
            assert ended(programs[first]) == -signal.SIGTERM
            assert programs[1 - first].poll() is None
            assert "kalloc_watch" in loaded() and f"{PLANTED} module" in LIST.read_text(encoding="ascii")
            programs[1 - first].terminate()
            assert ended(programs[1 - first]) == -signal.SIGTERM
        finally:
            for program in programs:
                program.kill()
                program.wait()
        assert loaded() == before and not list(SHARES.iterdir()), (loaded(), list(SHARES.iterdir()))
        # The second time, they add an entry to a loaded watch.
        if not first:
            modprobe("kalloc_watch", "modules=null_blk")
    assert "null_blk" in LIST.read_text(encoding="ascii") and PLANTED not in LIST.read_text(encoding="ascii")
    modprobe("-r", "kalloc_watch")


def shows_both() -> None:
    """Without arguments, it shows the rows of kalloc and of kalloc_watch."""
    modprobe("kalloc_watch", "modules=kalloc_exercise")
    modprobe("kalloc_exercise")
    Path("/sys/kernel/debug/kalloc/exercise").write_text("kbox count=10 size=64 keep=4", encoding="ascii")
    out, _ = run("--json", "--by", "module")
    rows = [row for row in json.loads(out)["rows"] if row["name"] == "kalloc_exercise"]
    own, watched = rows
    assert "slab" in own and "function" not in own["site"] and "function" in watched["site"], rows
    out, _ = run("--json")
    names = {row["name"]: row["live"] for row in json.loads(out)["rows"]}
    assert names["exercise_kbox"] == 4
    assert any(name.startswith("kalloc_exercise/workload.") for name in names), names
    out, _ = run("--prometheus")
    assert 'source="/proc/kallocinfo",site="exercise_kbox"' in out
    assert 'source="/proc/kallocwatch",site="kalloc_exercise/workload.' in out
    # One of the two is enough.
    modprobe("-r", "kalloc_exercise")
    assert run("-1")[0]
    modprobe("-r", "kalloc_watch")
    assert not loaded()


def refuses() -> None:
    """An impossible watch is an error of one line, and nothing stays loaded."""
    def said(*words: str, user: int | None = None) -> str:
        out, err = run("watch", *words, status=1, user=user)
        assert not out and err.startswith("kalloctop: ") and err.count("\n") == 1, err
        assert not loaded(), err
        return err.removeprefix("kalloctop: ").rstrip("\n")

    assert said("no_such", "-1").startswith("no_such: there is no such module, loaded or in /lib/modules/")
    # The guest has no list of built-in code, and this module has parameters.
    assert said("printk", "-1") == "printk: it is built into the kernel; `kalloctop watch all` counts it"
    assert said(PLANTED) == "standard output is no terminal: try --once, or --json or --prometheus"
    assert said(PLANTED, "-1", "-o", "/none/x") == "/none/x: No such file or directory"
    assert said(PLANTED, "-1", user=65534) == "watch: only root may load kalloc_watch"
    assert said(PLANTED, "-1", "-t", "0.1", "-o", "/dev/full") == "/dev/full: No space left on device"
    module, = Path("/lib/modules").rglob("kalloc_watch.ko*")
    hidden = module.rename(module.with_name("hidden"))
    assert said(PLANTED, "-1").startswith("kalloc_watch cannot be loaded: modprobe: ")
    subprocess.run(["depmod"], check=True)
    text = said(PLANTED, "-1")
    assert "not found" in text and text.endswith(" (install kalloc-dkms, or run make modules_install)"), text
    hidden.rename(module)
    subprocess.run(["depmod"], check=True)
    run("watch", PLANTED, "-1", "-t", "0.1")
    # The last test, because lockdown does not end.
    subprocess.run(["mount", "-t", "securityfs", "none", "/sys/kernel/security"], check=True)
    Path("/sys/kernel/security/lockdown").write_text("integrity", encoding="ascii")
    text = said(PLANTED, "-1")
    assert text.startswith("kalloc_watch cannot be loaded: "), text
    assert text.endswith(" (in lockdown, kalloc.ko and kalloc_watch.ko need a signature)"), text


PARTS = (prints, shows_a_module_at_work, ends_by_signals, hangs_up, keeps_a_loaded_watch, shares_a_watch,
         shows_both, refuses)


def main() -> None:
    """Runs all tests."""
    # The shell of the guest may have this program ignore them.
    for number in (signal.SIGINT, signal.SIGQUIT):
        signal.signal(number, signal.SIG_DFL)
    subprocess.run(["depmod"], check=True)
    failed = 0
    for part in PARTS:
        start = time.monotonic()
        try:
            part()
            print(f"@@ {part.__name__}\n{time.monotonic() - start:.1f} s", flush=True)
        except (AssertionError, OSError, subprocess.SubprocessError):
            failed += 1
            traceback.print_exc()
            for name in (PLANTED, "null_blk", "kalloc_exercise", "kalloc_watch", "kalloc"):
                subprocess.run(["modprobe", "-qr", name], check=False)
    sys.exit(failed)


main()
