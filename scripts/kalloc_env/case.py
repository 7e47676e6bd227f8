# SPDX-License-Identifier: GPL-2.0
"""How one test ended."""

from dataclasses import dataclass


@dataclass
class Case:
    """A test that passed, failed or was skipped, and what is to say about it."""

    name: str
    outcome: str
    detail: str = ""
