# SPDX-License-Identifier: GPL-2.0-only
"""Compilers and tools: packages, architectures, cargo."""
