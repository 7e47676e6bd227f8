# SPDX-License-Identifier: GPL-2.0
"""Bugs that are committed on purpose, on each kernel, and what its guards must say of them."""

from kalloc_dev.test.sanitizers import debug, hardened, rt, tiny
from kalloc_dev.test.sanitizers.boot import Boot

# By the kernel's name.
BOOTS: dict[str, tuple[Boot, ...]] = {
    "debug": debug.BOOTS,
    "debug-7.2": debug.BOOTS,
    "arm64": debug.BOOTS_ARM64,
    "hardened": hardened.BOOTS,
    "rt": rt.BOOTS,
    "tiny": tiny.BOOTS,
}
