# SPDX-License-Identifier: GPL-2.0-only
"""Debian packages and kalloctop."""
