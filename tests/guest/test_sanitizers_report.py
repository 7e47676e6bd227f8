# SPDX-License-Identifier: GPL-2.0-only
"""Each sanitizer that the other tests rely on reports a bug of its kind: on the debug kernel, or --kernel.

kalloc_lkdtm.ko commits the bugs, one by one, on memory of kalloc's owner types. Each bug must cause exactly its own
report in the kernel's log, with the name of the planted function, and scripts/kalloc dmesg must print it. Bugs that a
kernel makes harmless must be harmless. scripts/kalloc_dev/test/sanitizers/ lists the bugs of each kernel.

A kernel parameter that disables a sanitizer (--append) must make the test fail, in the sanitizer's own cases:

debug, arm64, debug-7.2: hardened_usercopy=0, page_poison=0, slab_debug="-;P,none", kmemleak=off, lockdep.prove_locking=0
hardened: hardened_usercopy=0, init_on_free=0, init_on_alloc=0, sysctl.vm.mem_profiling=0
rt: kmemleak=off, lockdep.prove_locking=0
"""

import pytest

from kalloc_dev.guest.qemu import DEAD
from kalloc_dev.test.sanitizers import BOOTS
from kalloc_dev.test.sanitizers.boot import Boot
from kalloc_dev.test.sanitizers.verdict import judge
from kalloc_dev.test.session import in_guest

KERNEL = "debug"


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Returns the guests of the kernel, in turn."""
    kernel = metafunc.config.getoption("--kernel") or KERNEL
    if kernel not in BOOTS:
        raise pytest.UsageError(f"{kernel} has no bugs: there are {', '.join(BOOTS)}")
    metafunc.parametrize("boot", BOOTS[kernel], ids=[f"{kernel}-{number}" for number in range(len(BOOTS[kernel]))])


def test_reports(kernel_name: str, boot: Boot, request: pytest.FixtureRequest) -> None:
    """Each bug of a guest has its own report, and no other."""
    append = [f"--append={word}" for word in (boot.append, *request.config.getoption("--append")) if word]
    # One CPU makes the failures reproducible, and ends each report before the next one begins.
    session = in_guest(boot.command, "--kernel", kernel_name, "--cpus", "1", "--memory", "256", "--timeout", "900", *append,
                       status=DEAD if boot.dies else 0)
    wrong = list(judge(boot, session.log.read_text(errors="replace")))
    print("\n".join(wrong))
    assert not wrong
