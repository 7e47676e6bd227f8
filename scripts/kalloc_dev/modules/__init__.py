# SPDX-License-Identifier: GPL-2.0
"""Building modules and programs, and describing them to editors."""
