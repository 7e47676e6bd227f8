# SPDX-License-Identifier: GPL-2.0
"""Fault injection: each allocation fails in turn."""
