# SPDX-License-Identifier: GPL-2.0-only
"""The configuration of Sphinx for this directory; `make doc` runs it.

Markup and theme are those of the kernel's documentation.
"""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent / "sphinx"))

project = "kalloc"
copyright = "the kalloc authors. GPL-2.0"  # pylint: disable=redefined-builtin

extensions = ["rustlinks", "calls", "hazards", "layers", "measured", "mutants"]
root_doc = "index"
exclude_patterns = ["sphinx"]
nitpicky = True
# A literal block is output, kernel text or commands unless it names its language.
highlight_language = "none"
smartquotes = False

html_theme = "alabaster"
html_static_path = ["sphinx/kalloc.css"]
html_css_files = ["kalloc.css"]
html_theme_options = {
    "description": "The kernel's memory allocators as safe Rust",
    "page_width": "1280px",
    "sidebar_width": "250px",
    "fixed_sidebar": True,
}
html_sidebars = {"**": ["about.html", "searchbox.html", "navigation.html"]}
html_copy_source = False
