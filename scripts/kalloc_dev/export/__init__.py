# SPDX-License-Identifier: GPL-2.0-only
"""The patch series for the kernel: its patches, their export, and the checks of the result."""
