# SPDX-License-Identifier: GPL-2.0
"""Loads the project's pytest plugin, which has the options and the fixtures."""

pytest_plugins = ["kalloc_dev.test.plugin"]
