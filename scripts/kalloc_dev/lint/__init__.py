# SPDX-License-Identifier: GPL-2.0
"""The checks of the sources."""
