# SPDX-License-Identifier: GPL-2.0-only
"""The test of KVM: one boot for each machine.

/dev/kvm may exist, open, and even create a machine, and yet hang the guest, for example with nested
or paravirtualized KVM. KVM counts as usable only after a guest has booted and answered.
"""

import io
import os
import platform
from pathlib import Path

from kalloc_dev.core import store
from kalloc_dev.core.paths import CACHE
from kalloc_dev.guest.qemu import Guest, boot
from kalloc_dev.kernel.build import Kernel
from rust_kbuild.console import say

DEVICE = "/dev/kvm"
SECONDS = 15.0


def usable(kernel: Kernel) -> bool:
    """Returns whether guests of this kernel can use KVM."""
    return kernel.arch.machine == platform.machine() and works(kernel.image)


def works(image: Path) -> bool:
    """Returns whether a guest has run under KVM on this machine.

    If no result is known, this kernel boots as a test.
    """
    if not os.access(DEVICE, os.R_OK | os.W_OK):
        return False
    processor = [line for line in Path("/proc/cpuinfo").read_text().splitlines()
                 if line.startswith(("model name", "microcode", "flags"))][:3]
    answer = CACHE / ("kvm-" + store.key_of(platform.release(), platform.version(), *processor))
    if answer.exists():
        return answer.read_text() == "yes"
    with store.lock(CACHE / "lock" / answer.name):
        if not answer.exists():
            probe = Guest(Kernel("kvm-probe", image, Path(), Path()), "exit 42", kvm=True,
                          boot_seconds=SECONDS, timeout=SECONDS)
            ran = boot(probe, io.BytesIO(), io.BytesIO()).status == 42
            say(f"    {DEVICE}: {'guests run' if ran else 'there, but a guest does not come up: not used'}")
            answer.write_text("yes" if ran else "no")
        return answer.read_text() == "yes"
