# SPDX-License-Identifier: GPL-2.0-only
"""The benchmark command: measurements, comparisons and verdicts.

Instructions are counted in an emulated guest and are the same on every machine. If guests run under
KVM, nanoseconds and cycles are measured as well.
"""

import argparse
import json
import os
from dataclasses import asdict

from kalloc_dev.bench import lines, record, report
from kalloc_dev.bench.bounds import BOUNDS, Verdict
from kalloc_dev.bench.measure import GROUPS, instructions, times
from kalloc_dev.bench.result import Result
from kalloc_dev.core.paths import BUILD, TREE
from kalloc_dev.core.prepare import set_up
from kalloc_dev.guest import kvm
from kalloc_dev.kernel.build import Kernel, kernel
from kalloc_dev.modules import kbuild
from rust_kbuild.console import Failure, say


def arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the command's options."""
    parser.add_argument("groups", nargs="*", metavar="GROUP",
                        help=f"a benchmark group: {', '.join(GROUPS)} (default: all)")
    parser.add_argument("--kernel", default=os.environ.get("KERNEL") or "bench", choices=("bench", "stock", "prof"),
                        help="bench: without debugging; stock: Debian's; prof: bench with the kernel's profiler "
                             "(default: $KERNEL, or bench)")
    parser.add_argument("--timeout", type=float, default=540, metavar="S",
                        help="time limit of all scenarios in seconds (default: 540)")
    parser.add_argument("--times", action="store_true",
                        help="measure nanoseconds and cycles as well (default: if guests run under KVM)")
    parser.add_argument("--lines", action="store_true",
                        help="count the cache lines that a pair touches, and its instructions by function, in place of the rest")
    parser.add_argument("--record", action="store_true",
                        help="store the results in Documentation/measured.json, from which the pages take their numbers")


def main(options: argparse.Namespace) -> int:
    """Runs the benchmarks; returns status 1 if a bound is broken."""
    if unknown := set(options.groups) - set(GROUPS):
        raise Failure(f"no group {' or '.join(sorted(unknown))}", status=2)
    if options.record and options.groups:
        raise Failure("--record needs a run of all groups", status=2)
    if options.lines and options.groups:
        raise Failure("--lines has its own groups", status=2)

    target = kernel("prof") if options.kernel == "prof" else set_up(options.kernel)[0]
    if options.lines:
        touched, parts = lines.measure(target, options.timeout)
        bytes_of = lines.sizes(target)
        print(lines.table(touched, parts, bytes_of))
        if options.record:
            record.record_lines(target.name, touched, parts, bytes_of)
            say(f"    written: {record.RECORD.relative_to(TREE)}")
        return 0
    groups = options.groups or GROUPS
    results = instructions(target, groups, options.timeout)
    timed = times(target, groups, options.timeout) if options.times or kvm.usable(target) else []
    verdicts = [verdict for bound in BOUNDS for verdict in bound.judge(results)]
    about = write(target, results, timed, verdicts)

    print(report.table(results))
    if timed:
        print(report.times(timed))
    print(report.judgement(verdicts))
    if options.record:
        record.record(about, results, verdicts)
        say(f"    written: {record.RECORD.relative_to(TREE)}")
    wrong = problems(about, results, verdicts, whole=set(groups) == set(GROUPS))
    held = sum(verdict.ok for verdict in verdicts)
    named = "".join(f"; {kind}: {', '.join(of)}" for kind, of in wrong.items() if of)
    say(f"==> {held} bounds hold, on Linux {target.release}{named or ', and none is broken'}")
    return 1 if any(wrong.values()) else 0


def problems(about: dict[str, object], results: list[Result], verdicts: list[Verdict], whole: bool) -> dict[str, list[str]]:
    """Returns the names of broken bounds, changed costs, and scenarios without a result.

    Missing results are problems only with `whole`, after a run of all groups.
    """
    broken = [verdict.what for verdict in verdicts if not verdict.ok]
    of_all = whole and about["kernel"] == "bench"
    missing = {bound.what: gaps for bound in BOUNDS if (gaps := list(bound.missing(results)))} if of_all else {}
    changed = record.changed(about, results, whole)
    for what, gaps in missing.items():
        say(f"    not measured: {what}: {'; '.join(gaps)}")
    for name, how in changed.items():
        say(f"    {name}: {how}")
    return {"broken": broken, "not measured": list(missing), "changed": list(changed)}


def write(target: Kernel, results: list[Result], timed: list[Result], verdicts: list[Verdict]) -> dict[str, object]:
    """Writes the results to build/; returns them with the description of the machine and kernel."""
    suffix = "" if target.name == "bench" else f"-{target.name}"
    tree = kbuild.tree_of(target)
    about: dict[str, object] = {
        "kernel": target.name,
        "release": target.release,
        "compiler": tree.config("CC_VERSION_TEXT"),
        "rustc": tree.config("RUSTC_VERSION_TEXT"),
        "unit": "instructions per allocation and free",
        "results": [asdict(result) for result in results],
        "times_unit": "nanoseconds and cycles per allocation and free",
        "times": [asdict(result) for result in timed],
        "bounds": [asdict(verdict) for verdict in verdicts],
    }
    paths = [BUILD / f"bench{suffix}.json", BUILD / f"bench{suffix}.rst"]
    paths[0].write_text(json.dumps(about, indent=1) + "\n")
    paths[1].write_text(report.rst(results, verdicts))
    for family, picture in report.charts(results):
        paths.append(BUILD / f"bench{suffix}-{family}.svg")
        paths[-1].write_text(picture)
    paths.append(BUILD / f"bench{suffix}.html")
    paths[-1].write_text(report.html(about, results, timed, verdicts))
    say("    written: " + " ".join(str(path.relative_to(BUILD.parent)) for path in paths))
    return about
