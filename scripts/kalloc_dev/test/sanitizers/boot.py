# SPDX-License-Identifier: GPL-2.0-only
"""A guest that runs deliberate bugs: its script, and the reports that its log must contain."""

from collections.abc import Mapping
from dataclasses import dataclass

MARK = "kalloc-test: "

# Each bug runs in a process of its own, which may not return.
PRELUDE = r"""
section() { echo "<6>kalloc-test: $1" >/dev/kmsg; }
commit() { echo "$*" >/sys/module/kalloc_lkdtm/parameters/plant; }
plant() { section "$*"; (commit "$@"); }
echo 0 >/proc/sys/kernel/panic_on_oops
modprobe kalloc_lkdtm || exit
for family in box object page area; do plant nothing $family; done
"""
END = "section end\n"

# The reports that a bug must cause: their headlines in order, and a line below them.
Report = tuple[tuple[str, ...], str]
NOTHING: Report = ((), "")

# The sections of PRELUDE and END.
AROUND: dict[str, Report] = {
    **{f"nothing {family}": NOTHING for family in ("box", "object", "page", "area")},
    "end": NOTHING,
}


@dataclass(frozen=True)
class Boot:
    """A guest with deliberate bugs.

    A bug's section has its name, `late_read box`. With `dies`, the last bug ends the guest.
    `perhaps` matches a further report that may follow one of the same bug.
    """

    script: str
    caught: Mapping[str, Report]
    append: str
    dies: bool = False
    perhaps: str = r"(?!)"

    @property
    def command(self) -> str:
        """Returns the guest's whole script."""
        return PRELUDE + self.script + ("" if self.dies else END)

    @property
    def sections(self) -> dict[str, Report]:
        """Returns the required reports of each section."""
        around = {name: report for name, report in AROUND.items() if name != "end" or not self.dies}
        return {**around, **self.caught}
