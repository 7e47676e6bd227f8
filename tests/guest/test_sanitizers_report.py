# SPDX-License-Identifier: GPL-2.0
"""Each checker that the other tests rely on catches a bug of its kind: on the debug kernel, or --kernel.

kalloc_lkdtm.ko commits the bugs, one by one, on memory of kalloc's owner types. Each must leave exactly its own
report in the kernel's log, with the name of the planted function; scripts/kalloc dmesg must object to it. Bugs that
become harmless must do so. scripts/kalloc_dev/test/sanitizers/ has the bugs of each kernel.

A kernel parameter that disables a checker (--append) must make it fail, in the checker's own cases:

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
    """The guests of the kernel, in turn."""
    kernel = metafunc.config.getoption("--kernel") or KERNEL
    if kernel not in BOOTS:
        raise pytest.UsageError(f"{kernel} has no bugs: there are {', '.join(BOOTS)}")
    metafunc.parametrize("boot", BOOTS[kernel], ids=[f"{kernel}-{number}" for number in range(len(BOOTS[kernel]))])


def test_reports(kernel_name: str, boot: Boot, request: pytest.FixtureRequest) -> None:
    """Each bug of a guest has its own report, and no other."""
    append = [f"--append={word}" for word in (boot.append, *request.config.getoption("--append")) if word]
    # One processor, so that what is refused is always the same, and one report is over when the next begins.
    session = in_guest(boot.command, "--kernel", kernel_name, "--cpus", "1", "--memory", "256", "--timeout", "500", *append,
                       status=DEAD if boot.dies else 0)
    wrong = list(judge(boot, session.log.read_text(errors="replace")))
    print("\n".join(wrong))
    assert not wrong
