# SPDX-License-Identifier: GPL-2.0
"""The documentation: pages, examples and the tutorial."""
