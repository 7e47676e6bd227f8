# SPDX-License-Identifier: GPL-2.0
"""Tests: the runner and its parts."""
