# SPDX-License-Identifier: GPL-2.0-only
"""The documentation: pages, examples and the tutorial."""
