# SPDX-License-Identifier: GPL-2.0-only
"""Fault injection: each allocation fails in turn."""
