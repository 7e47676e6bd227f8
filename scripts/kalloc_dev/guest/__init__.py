# SPDX-License-Identifier: GPL-2.0
"""Guests: QEMU, initramfs archives and userlands."""
