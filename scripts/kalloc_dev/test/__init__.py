# SPDX-License-Identifier: GPL-2.0
"""The tests: the runner and its parts."""
