# SPDX-License-Identifier: GPL-2.0
"""Debian packages and kalloctop."""
