# SPDX-License-Identifier: GPL-2.0-only
"""Guests: QEMU, initramfs archives and userlands."""
