# SPDX-License-Identifier: GPL-2.0-only
"""Cache lines and the parts of a pair: QEMU's plugin counts each instruction of one round of a case.

The marks around each round are in bench/measure.rs; the plugin is plugin.c.
"""

from __future__ import annotations

import io
import json
import re
import shlex
from bisect import bisect_right
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from kalloc_dev.bench.bounds import FASTPATH, FIXED, PAIRS, PERCPU, SIZED
from kalloc_dev.bench.measure import APPEND, LINE, MEANING
from kalloc_dev.core import store
from kalloc_dev.core.paths import BUILD, LOGS
from kalloc_dev.guest.qemu import Guest, boot
from kalloc_dev.modules import kbuild
from kalloc_dev.toolchain.compilers import toolchain
from rust_kbuild.console import Failure, run, step

if TYPE_CHECKING:
    from kalloc_dev.kernel.build import Kernel

SOURCE = Path(__file__).with_name("plugin.c")
# The groups, and the cases of them that are shown.
GROUPS = ("kmalloc", "cache", "accounting")
CASES = ((PAIRS, 64), (FASTPATH, 1), (FIXED, 64), (PERCPU, 64), (SIZED, 64))
# The number of rounds of bench/measure.rs, for the case and then for its empty loop, and the pairs
# of a round.
ROUNDS, ALL = 15, 1000
COMMAND = f"""
modprobe kalloc_bench || exit 10
cd /sys/kernel/debug/kalloc
for group in {" ".join(GROUPS)}; do
    echo $group >bench && cat bench || exit 11
done
echo = symbols
grep -i ' t ' /proc/kallsyms
"""
# Inlined functions that only call others.
WRAPPERS = ("slab_alloc_node", "slab_free")
# Instructions that enter and leave functions, and check their stack frames.
FRAME = re.compile(r"(push|pop|call|ret|leave|endbr)|(add|sub)\w* .*%rsp$|.*%gs:.*__stack_chk_guard|.*x86_return_thunk")


class Place(NamedTuple):
    """An instruction, and the number of times that a round executed it."""

    address: int
    times: int
    text: str


@dataclass(frozen=True)
class Touched:
    """A case: the instructions of a pair, the cache lines that its round touches, and its places."""

    scenario: str
    param: int
    side: str
    instructions: float
    data: int
    code: int
    places: tuple[Place, ...]


@dataclass(frozen=True)
class Part:
    """A part of a pair, and its instructions; `frames` of them are those of the function's frame."""

    name: str
    instructions: float
    frames: float


def plugin() -> Path:
    """Returns the plugin, built if its source is newer."""
    built = BUILD / "userspace" / "bench-plugin.so"
    built.parent.mkdir(parents=True, exist_ok=True)
    with store.lock(built.parent / "lock"):
        if not built.exists() or built.stat().st_mtime_ns < SOURCE.stat().st_mtime_ns:
            with step("building QEMU's plugin", LOGS / "plugin.log") as log:
                run(toolchain().argv(["gcc", "-shared", "-fPIC", "-O2", "-Wall", "-Werror", "-o", built, SOURCE]), log, "gcc")
    return built


def measure(kernel: Kernel, timeout: float) -> tuple[list[Touched], list[Part]]:
    """Returns the cases, and the parts of a pair of C's kmalloc() and kfree()."""
    out = BUILD / "bench-lines.txt"
    text = io.BytesIO()
    guest = Guest(kernel, COMMAND, cpus=1, icount=True, timeout=timeout, boot_seconds=600, append=APPEND,
                  plugin=f"{plugin()},out={out}")
    ended = boot(replace(guest, modules=kbuild.image(kernel)), text)
    if ended.status:
        raise Failure(MEANING.get(ended.status, f"the guest's status is {ended.status}"), ended.log)
    results, symbols = text.getvalue().decode().split("= symbols\n")
    rows = [match for line in results.splitlines() if (match := LINE.fullmatch(line))]
    windows = list(_windows(out.read_text()))
    if len(windows) != 2 * ROUNDS * len(rows):
        raise Failure(f"the plugin saw {len(windows)} rounds of {len(rows)} cases", ended.log)
    touched = []
    for number, match in enumerate(rows):
        param, side, *_, scenario = match.groups()
        if (scenario, int(param)) in CASES:
            # The least: the others may contain a tick of the clock.
            case, empty = (min(windows[first:first + ROUNDS], key=lambda window: window[0][0])
                           for first in (2 * ROUNDS * number, 2 * ROUNDS * number + ROUNDS))
            (all_, data, code), places = case
            touched.append(Touched(scenario, int(param), side, round((all_ - empty[0][0]) / ALL, 1),
                                   data - empty[0][1], code - empty[0][2], places))
    pair = next(case for case in touched if (case.scenario, case.side) == (PAIRS, "c"))
    return touched, list(parts(kernel, pair, symbols))


def _windows(text: str) -> Iterator[tuple[tuple[int, int, int], tuple[Place, ...]]]:
    """Yields the windows in the plugin's output: the three numbers, and the places."""
    heads: list[tuple[int, int, int]] = []
    for is_head, lines in groupby(text.splitlines(), key=lambda line: line.startswith("window ")):
        if is_head:
            for line in lines:
                _, all_, data, code = line.split()
                heads.append((int(all_), int(data), int(code)))
        else:
            words = [line.split(" ", 2) for line in lines]
            yield heads[-1], tuple(Place(int(address, 16), int(count), what) for address, count, what in words)


def parts(kernel: Kernel, pair: Touched, symbols: str) -> Iterator[Part]:
    """Yields the parts of a pair, those with the most instructions first.

    A part is a function, or a function that the compiler has inlined into it.
    """
    starts = sorted((int(line.split()[0], 16), line.split()[2]) for line in symbols.splitlines())
    addresses = [start for start, _ in starts]
    found: dict[str, list[Place]] = {}
    for place in pair.places:
        if place.times >= ALL / 2:
            start, function = starts[bisect_right(addresses, place.address) - 1]
            found.setdefault(function, []).append(place._replace(address=place.address - start))
    compiled = debuggable(kernel)
    offsets = {name: int(address, 16) for address, name in
               re.findall(r"^(\w+) T (\w+)$", toolchain().output(["llvm-nm", compiled]), re.M)}
    total: Counter[str] = Counter()
    frames: Counter[str] = Counter()
    for function, places in found.items():
        names = _inlined(compiled, [offsets[function] + place.address for place in places]) if function in offsets else (
            [function] * len(places))
        for name, place in zip(names, places, strict=True):
            if FRAME.match(place.text):
                frames[function] += place.times
            part = function if name == function or FRAME.match(place.text) else f"{function}: {name}"
            total[part] += place.times
    for part, count in total.most_common():
        yield Part(part, round(count / ALL, 1), round(frames[part] / ALL, 1))


def debuggable(kernel: Kernel) -> Path:
    """Returns the kernel's slab allocator, compiled once more with debugging information: the code is the same."""
    saved = (kernel.tree / "mm/.slub.o.cmd").read_text().splitlines()[0]
    command = re.sub(r"-Wp,-MMD,\S+", "", saved.partition(" := ")[2]).partition(" ;")[0]
    out = BUILD / "slub.o"
    with step("compiling mm/slub.c with debugging information", LOGS / "slub.log") as log:
        run(toolchain().argv(["sh", "-c", command.replace("-c -o mm/slub.o", f"-g -c -o {shlex.quote(str(out))}")],
                             cwd=kernel.tree, binds=[kernel.source]), log, "clang")
    ours, theirs = (set(re.findall(r"^(\w+ \w+) T (\w+)$", toolchain().output(["llvm-nm", "--print-size", path]), re.M))
                    for path in (out, kernel.tree / "mm/slub.o"))
    if ours != theirs:
        raise Failure("mm/slub.c with debugging information has other code than the kernel's", log)
    return out


def _inlined(compiled: Path, addresses: list[int]) -> list[str]:
    """Returns the function of the source of each address: the outermost that was inlined there."""
    shown = toolchain().output(["llvm-symbolizer", f"--obj={compiled}", "--inlines", "--output-style=JSON",
                                *map(hex, addresses)])
    names = []
    for address in json.loads(shown):
        function, *inner = [symbol["FunctionName"] for symbol in reversed(address["Symbol"])]
        names.append(next((name for name in inner if name not in WRAPPERS), inner[0] if inner else function))
    return names


def sizes(kernel: Kernel) -> dict[str, int]:
    """Returns the bytes of code of one more instantiation of a box, by side, and the size of kalloc.ko in memory."""
    modules = {path.stem: path for path in kbuild.build(kbuild.tree_of(kernel))}
    found = re.findall(r"^\w+ (\w+) . kalloc_bench_size_(\w+)$",
                       toolchain().output(["llvm-nm", "--print-size", modules["kalloc_bench"]]), re.M)
    whole = toolchain().output(["llvm-size", modules["kalloc"]]).splitlines()[1].split()
    return {f"a box, {side}": int(size, 16) for size, side in found} | {"kalloc.ko": int(whole[3])}


def table(touched: list[Touched], found: list[Part], bytes_of: dict[str, int]) -> str:
    """Returns the results as text."""
    lines = [f"{'a pair, and the cache lines of a round':<42}{'side':<11}{'instructions':>12}{'data':>6}{'code':>6}"]
    lines += [f"{f'{case.scenario}, {case.param}':<42}{case.side:<11}{case.instructions:>12.1f}{case.data:>6}{case.code:>6}"
              for case in touched]
    lines += ["", f"{'a pair of kmalloc and kfree in C, by function':<53}{'instructions':>12}{'of its frame':>14}"]
    lines += [f"{part.name:<53}{part.instructions:>12.1f}{part.frames:>14.1f}" for part in found]
    lines += ["", f"{'bytes of code':<53}", *(f"{name:<53}{size:>12,}" for name, size in bytes_of.items())]
    return "\n".join(lines) + "\n"
