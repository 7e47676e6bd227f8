# SPDX-License-Identifier: GPL-2.0
"""Documentation: pages, examples, the tutorial."""
