# SPDX-License-Identifier: GPL-2.0-only
"""The build of modules and programs, and their descriptions for editors."""
