# SPDX-License-Identifier: GPL-2.0
"""Benchmarks: measuring, bounds, reports."""
