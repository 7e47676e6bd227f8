# SPDX-License-Identifier: GPL-2.0-only
"""The long fault injection: the suites' guest, with more time than in `make test`."""

import argparse
from dataclasses import replace

from kalloc_dev.core.prepare import set_up
from kalloc_dev.guest import kvm
from kalloc_dev.modules import kbuild
from kalloc_dev.test.kunit import Machine, kunit
from kalloc_dev.test.result import again, done, said, status
from kalloc_dev.test.runner import collect


def arguments(parser: argparse.ArgumentParser) -> None:
    """Adds the command's options."""
    parser.add_argument("--minutes", type=float, default=60, metavar="N",
                        help="minutes during which each allocation fails in turn, later only some; system calls come "
                        "first, and cases share the rest (default: 60)")


def main(options: argparse.Namespace) -> int:
    """Runs the guest; returns status 1 if a case failed."""
    seconds = round(60 * options.minutes)
    kernel, = set_up("debug")
    kbuild.image(kernel)
    kvm.usable(kernel)
    cases, took = collect(lambda: kunit(kernel, replace(Machine(), faults_seconds=seconds)))
    print(f"{done(cases)}, {took:.0f} s", again(cases) + said(cases), sep="\n")
    return status(cases)
