# SPDX-License-Identifier: GPL-2.0-only
"""The reports whose text depends on the architecture."""

from dataclasses import dataclass

from kalloc_dev.test.sanitizers.boot import Report


@dataclass(frozen=True)
class Signs:
    """The report lines of an architecture.

    `trap` are the headlines of a BUG(), and `first_end` is added by the first process that a BUG()
    ends. `running` precedes the name of the function. KASAN looks up the other pointers: one with
    0x6b or 0xaa in every byte, and NULL.
    """

    trap: tuple[str, ...]
    first_end: tuple[str, ...]
    running: str
    slab_pointer: Report
    page_pointer: Report
    null_pointer: tuple[str, ...]

    @property
    def bug(self) -> tuple[str, ...]:
        """Returns the headlines of a BUG()."""
        return (r"^kernel BUG at ", *self.trap)


def _x86(shadow: str) -> tuple[str, ...]:
    return (rf"^Oops: general protection fault, probably for non-canonical address 0x{shadow}:",)


def _arm64(shadow: str) -> tuple[str, ...]:
    return (rf"^Unable to handle kernel paging request at virtual address {shadow}$", r"^Internal error: Oops: ")


X86 = Signs(
    trap=(r"^Oops: invalid opcode: ",),
    first_end=(),
    running=r"^RIP: 0010:",
    slab_pointer=(_x86("ed6d696d6d6d6d6d"), r"range \[0x6b6b6b6b6b6b6b68-0x6b6b6b6b6b6b6b6f\]$"),
    page_pointer=(_x86("f555515555555555"), r"range \[0xa{15}8-0xa{15}f\]$"),
    null_pointer=_x86("dffffc0000000000"),
)
# The processor ignores the top byte of an address, so KASAN does not recognize its own. A process
# that a BUG() ends leaves a state that causes two warnings, one in the scheduler and one when the
# process is idle.
ARM64 = Signs(
    trap=(r"^Internal error: Oops - BUG: ",),
    first_end=(r"^WARNING: .* __switch_to\+", r"^WARNING: .* ct_kernel_exit\+"),
    running=r"^pc : ",
    slab_pointer=(_arm64("006ced6d6d6d6d6d"), r"^pc : planted_uninitialised\+"),
    page_pointer=(_arm64("0054d55555555555"), r"^pc : planted_uninitialised\+"),
    null_pointer=_arm64("dfff800000000000"),
)
