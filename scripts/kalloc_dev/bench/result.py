# SPDX-License-Identifier: GPL-2.0-only
"""The results of the benchmarks."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Result:
    """A measurement of a scenario on a side, for the allocation and free of one block.

    It is in instructions or nanoseconds. `most` is of the same rounds as the other values; the
    cycles are those of the processor's clock.
    """

    group: str
    scenario: str
    param: int
    side: str
    least: float
    median: float
    most: float
    cycles_least: float
    cycles_median: float
    profiling: bool
