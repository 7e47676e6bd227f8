# SPDX-License-Identifier: GPL-2.0-only
"""The tests of the sanitizers: deliberate bugs on each kernel, and the required reports."""

from kalloc_dev.test.sanitizers import debug, hardened, rt, tiny
from kalloc_dev.test.sanitizers.boot import Boot

# The guests, by the kernel's name.
BOOTS: dict[str, tuple[Boot, ...]] = {
    "debug": debug.BOOTS,
    "debug-7.2": debug.BOOTS,
    "arm64": debug.BOOTS_ARM64,
    "hardened": hardened.BOOTS,
    "rt": rt.BOOTS,
    "tiny": tiny.BOOTS,
}
