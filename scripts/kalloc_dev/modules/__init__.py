# SPDX-License-Identifier: GPL-2.0
"""The build of modules and programs, and their descriptions for editors."""
