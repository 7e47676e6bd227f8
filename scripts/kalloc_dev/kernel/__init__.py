# SPDX-License-Identifier: GPL-2.0-only
"""Kernels: plans, builds, Debian packages and variants."""
