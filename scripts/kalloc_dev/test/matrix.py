# SPDX-License-Identifier: GPL-2.0-only
"""The tests on kernels of other kinds, which `make test` does not cover with its two."""

import argparse
import io
import time
from collections.abc import Iterator
from dataclasses import replace
from math import inf

from kalloc_dev.core.prepare import set_up
from kalloc_dev.guest import kvm
from kalloc_dev.guest.qemu import Guest, boot
from kalloc_dev.kernel.build import PLANS, Kernel
from kalloc_dev.kernel.variants import VARIANTS
from kalloc_dev.modules import kbuild
from kalloc_dev.test import dmesg, in_tree, kunit_tool
from kalloc_dev.test.kunit import kunit, shows
from kalloc_dev.test.result import Case, again, done, late, said, status
from kalloc_dev.test.runner import collect, run_module
from kalloc_dev.test.sanitizers import BOOTS
from kalloc_dev.test.smoke import life
from rust_kbuild.console import Failure, say, tail

# The test modules that take the name of a kernel. They run in place of the suites on a kernel
# without KUnit, and after the suites on the others.
ON_STOCK, ON_OURS = "module_lifecycle", "mmap_and_kv"
# The test of kalloc_watch, for the kernels that have its probes.
WATCH = "watch_planted"
# The test of the sanitizers, for the kernels that have some.
GUARDS = "sanitizers_report"
# The test that modules with other types do not load, for a kernel that compares checksums of types.
VERSIONS = "version_mismatch"


# The kernels with the suites built in. `make test-all` runs those of User-Mode Linux's first target.
IN_TREE = {f"in-tree-{name}": name for name in kunit_tool.TARGETS if name != "um"}
WHY = {name: variant.why for name, variant in VARIANTS.items()} | \
    {name: f"kalloc kunit: {kunit_tool.TARGETS[target].why}" for name, target in IN_TREE.items()}
WIDTH = max(map(len, WHY))

EPILOG = "variants:\n" + "".join(f"  {name:{WIDTH}} {why}\n" for name, why in WHY.items()) + \
    "\nA kernel is built at its first use, which takes ten minutes of processor time."


def arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the command's options."""
    parser.epilog = EPILOG
    parser.add_argument("variants", nargs="*", metavar="VARIANT", help="the variants (default: all)")
    parser.add_argument("--minutes", type=float, default=inf, metavar="N",
                        help="time limit after which the remaining variants are skipped (default: no limit)")


def main(options: argparse.Namespace) -> int:
    """Tests the named variants, or all; returns status 1 if a case failed."""
    chosen = options.variants or list(WHY)
    if unknown := set(chosen) - set(WHY):
        raise Failure(f"no variant {' or '.join(sorted(unknown))}: there are {', '.join(WHY)}", status=2)

    cases: list[Case] = []
    figures = []
    end = time.monotonic() + 60 * options.minutes
    for number, name in enumerate(chosen, start=1):
        say(f"==> {number} of {len(chosen)}, {name}: {WHY[name]}")
        own, took = collect(lambda name=name: _named(name) if time.monotonic() < end else late(name))  # type: ignore[misc]
        cases += own
        figures.append(", ".join(filter(None, (f"{name:{WIDTH}} {said(own)}", done(own), f"{took:.0f} s"))))
    print(*figures, f"all: {done(cases)}", again(cases) + said(cases), sep="\n")
    return status(cases)


def _named(name: str) -> Iterator[Case]:
    """Yields all cases of one variant, with its name in front.

    A failed build is a failed case, and does not stop other variants.
    """
    if name in IN_TREE:
        yield from in_tree.verdict(IN_TREE[name])
        return
    try:
        kernel, = set_up(name)
        kbuild.image(kernel)
        kvm.usable(kernel)
    except Failure as failure:
        yield Case(f"{name}: build", "failed", _why(failure))
        return
    for test in (_builds, _life, _suites if PLANS[name].fragments else _scenarios, _watch, _guards, _versions):
        for case in test(kernel):
            yield replace(case, name=f"{name}: {case.name}")


def _why(failure: Failure) -> str:
    return f"    {failure}\n" + (f"{tail(failure.log)}\n    log: {failure.log}\n" if failure.log else "")


def _builds(kernel: Kernel) -> Iterator[Case]:
    warnings = kbuild.warnings(kbuild.tree_of(kernel))
    yield Case("no warnings", "failed" if warnings else "passed", "".join(f"    {line}\n" for line in warnings))


def _life(kernel: Kernel) -> Iterator[Case]:
    """Runs the same test as `make run`."""
    try:
        life(kernel, io.BytesIO())
    except Failure as failure:
        yield Case("life", "failed", _why(failure))
    else:
        yield Case("life", "passed")


def _suites(kernel: Kernel) -> Iterator[Case]:
    yield from kunit(kernel, VARIANTS[kernel.name].machine(kernel))
    yield from run_module(ON_OURS, f"--kernel={kernel.name}")


def _watch(kernel: Kernel) -> Iterator[Case]:
    if kbuild.tree_of(kernel).config("FPROBE"):
        yield from run_module(WATCH, f"--kernel={kernel.name}")
    elif "trace" in PLANS[kernel.name].fragments:
        yield Case(WATCH, "failed", "    the kernel has no fprobes, although its configuration asks for them\n")
    else:
        yield Case(WATCH, "skipped", "    the kernel has no fprobes\n")


def _guards(kernel: Kernel) -> Iterator[Case]:
    if kernel.name in BOOTS:
        yield from run_module(GUARDS, f"--kernel={kernel.name}")


def _versions(kernel: Kernel) -> Iterator[Case]:
    if kbuild.tree_of(kernel).config("MODVERSIONS"):
        yield from run_module(VERSIONS, f"--kernel={kernel.name}")


def _scenarios(kernel: Kernel) -> Iterator[Case]:
    """Runs, on a kernel without KUnit, the variant's sections and the tests of the stock kernel."""
    machine = VARIANTS[kernel.name].machine(kernel)
    out = io.BytesIO()
    guest = Guest(kernel, 'section() { echo "@@ $1"; }\n' + machine.sections, cpus=machine.cpus,
                  modules=kbuild.image(kernel), kvm=kvm.usable(kernel))
    result = boot(guest, out)
    shown = dict(part.partition("\n")[::2] for part in out.getvalue().decode(errors="replace").split("@@ ")[1:])
    for name, wanted in machine.shown.items():
        yield shows(name, shown.get(name), wanted, f"    log: {result.log}\n")
    found = dmesg.judge(result.log)
    yield Case("the kernel log", "failed" if found or result.status else "passed", "".join(f"{line}\n" for line in found))
    yield from run_module(ON_STOCK, f"--kernel={kernel.name}")
