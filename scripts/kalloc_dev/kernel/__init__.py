# SPDX-License-Identifier: GPL-2.0
"""Kernels: plans, builds, Debian packages and variants."""
