# SPDX-License-Identifier: GPL-2.0
"""Benchmarks: measurements, bounds and reports."""
