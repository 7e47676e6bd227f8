# SPDX-License-Identifier: GPL-2.0-only
"""The bugs that the tiny kernel detects, by page tables and initialized variables only."""

from kalloc_dev.test.sanitizers.boot import Boot
from kalloc_dev.test.sanitizers.common import AREA_FREED_TWICE, PAGES

SCRIPT = r"""
plant unset box
plant guard_page area
plant scribble page
plant double_free area
"""
CAUGHT = {
    "unset box": ((), r"^planted_unset: 0$"),
    **PAGES,
    **AREA_FREED_TWICE,
}

BOOTS = (Boot(SCRIPT, CAUGHT, "kunit.enable=0"),)
