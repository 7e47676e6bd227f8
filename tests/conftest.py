# SPDX-License-Identifier: GPL-2.0-only
"""The configuration of pytest: the project's plugin, which has the options and the fixtures."""

pytest_plugins = ["kalloc_dev.test.plugin"]
