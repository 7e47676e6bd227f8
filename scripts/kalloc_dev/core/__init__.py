# SPDX-License-Identifier: GPL-2.0-only
"""The cache, paths, processes and sandboxes that every command uses."""
