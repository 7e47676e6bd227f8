# SPDX-License-Identifier: GPL-2.0
"""May guests use KVM? Found out once a machine, by a boot.

/dev/kvm may be there, open, even make a machine, and still hang the guest: nested and
para-virtualised KVM do. Only a guest that came up and answered counts.
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
    """Whether guests of this kernel may use KVM."""
    return kernel.arch.machine == platform.machine() and works(kernel.image)


def works(image: Path) -> bool:
    """Whether a guest ran under KVM here; tried with this kernel if it is not known yet."""
    if not os.access(DEVICE, os.R_OK | os.W_OK):
        return False
    processor = [line for line in Path("/proc/cpuinfo").read_text().splitlines()
                 if line.startswith(("model name", "microcode", "flags"))][:3]
    answer = CACHE / ("kvm-" + store.key_of(platform.release(), platform.version(), *processor))
    with store.lock(CACHE / "lock" / answer.name):
        if not answer.exists():
            probe = Guest(Kernel("kvm-probe", image, Path(), Path()), "exit 42", kvm=True,
                          boot_seconds=SECONDS, timeout=SECONDS)
            ran = boot(probe, io.BytesIO(), io.BytesIO()).status == 42
            say(f"    {DEVICE}: {'guests run' if ran else 'there, but a guest does not come up: not used'}")
            answer.write_text("yes" if ran else "no")
        return answer.read_text() == "yes"
