# SPDX-License-Identifier: GPL-2.0
"""The cache, paths, processes and sandboxes that every command uses."""
