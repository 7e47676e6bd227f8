# SPDX-License-Identifier: GPL-2.0
"""The suites' guest with time for what `make test` has none for: allocations are refused one by one."""

import argparse
import sys
from dataclasses import replace

from . import kvm, modules
from .case import again, done, said, status
from .kunit import Machine, kunit
from .setup import set_up
from .tests import collect


def main(words: list[str]) -> int:
    """Runs it; the status is 1 if a case failed."""
    parser = argparse.ArgumentParser(prog="scripts/test-faults", description=sys.modules["__main__"].__doc__,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--minutes", type=float, default=60, metavar="N",
                        help="for how long each allocation is refused, then only some; calls come first, and cases share "
                        "what is left (default: 60)")
    seconds = round(60 * parser.parse_args(words).minutes)

    kernel, = set_up("debug")
    modules.image(kernel)
    kvm.usable(kernel)
    cases, took = collect(lambda: kunit(kernel, replace(Machine(), faults_seconds=seconds)))
    print(f"{done(cases)}, {took:.0f} s", again(cases) + said(cases), sep="\n")
    return status(cases)
