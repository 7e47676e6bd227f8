# SPDX-License-Identifier: GPL-2.0
"""How Sphinx makes pages of this folder; `make doc` calls it.

Markup and looks are the kernel's own documentation's.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent / "sphinx"))

project = "kalloc"
copyright = "the kalloc authors. GPL-2.0"  # pylint: disable=redefined-builtin

extensions = ["rustlinks"]
root_doc = "index"
exclude_patterns = ["sphinx"]
nitpicky = True
# Literal blocks are output, kernel text and commands alike: what is code says in which language.
highlight_language = "none"
smartquotes = False

html_theme = "alabaster"
html_theme_options = {
    "description": "The kernel's memory allocators as safe Rust",
    "page_width": "1100px",
    "sidebar_width": "230px",
    "fixed_sidebar": True,
}
html_sidebars = {"**": ["about.html", "searchbox.html", "navigation.html"]}
html_copy_source = False
