# SPDX-License-Identifier: GPL-2.0
"""Fault injection: failing allocations one by one."""
