# SPDX-License-Identifier: GPL-2.0
"""A guest that commits bugs: what it runs, and what the log must have of each."""

from collections.abc import Mapping
from dataclasses import dataclass

MARK = "kalloc-test: "

# A bug is committed in a process of its own, which may not come back.
PRELUDE = r"""
section() { echo "<6>kalloc-test: $1" >/dev/kmsg; }
commit() { echo "$*" >/sys/module/kalloc_lkdtm/parameters/plant; }
plant() { section "$*"; (commit "$@"); }
echo 0 >/proc/sys/kernel/panic_on_oops
modprobe kalloc_lkdtm || exit
for family in box object page area; do plant nothing $family; done
"""
END = "section end\n"

# What there must be of a bug: the first lines of its reports, in their order, and a line below them.
Report = tuple[tuple[str, ...], str]
NOTHING: Report = ((), "")

# What PRELUDE and END leave.
AROUND: dict[str, Report] = {
    **{f"nothing {family}": NOTHING for family in ("box", "object", "page", "area")},
    "end": NOTHING,
}


@dataclass(frozen=True)
class Boot:
    """A guest. Bugs are known by their sections, `late_read box`; one `dies` of the last. What a report is followed
    by `perhaps` is another, of the same bug.
    """

    script: str
    caught: Mapping[str, Report]
    append: str
    dies: bool = False
    perhaps: str = r"(?!)"

    @property
    def command(self) -> str:
        """All that the guest runs."""
        return PRELUDE + self.script + ("" if self.dies else END)

    @property
    def sections(self) -> dict[str, Report]:
        """What the log must have of each section."""
        around = {name: report for name, report in AROUND.items() if name != "end" or not self.dies}
        return {**around, **self.caught}
