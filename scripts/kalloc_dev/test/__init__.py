# SPDX-License-Identifier: GPL-2.0-only
"""The tests: the runner and its parts."""
