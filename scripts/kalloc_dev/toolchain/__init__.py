# SPDX-License-Identifier: GPL-2.0
"""Compilers and tools: packages, architectures, cargo."""
