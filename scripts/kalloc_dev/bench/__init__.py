# SPDX-License-Identifier: GPL-2.0-only
"""Benchmarks: measurements, bounds and reports."""
