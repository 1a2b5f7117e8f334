"""Sphinx's configuration of the manual: `pip install '.[docs]'`, then `sphinx-build -W docs build/manual`."""

import jaxstyle

project = "jaxstyle"
author = "the authors of jaxstyle"
release = jaxstyle.__version__
extensions = ["myst_nb", "sphinx.ext.autodoc", "sphinx.ext.napoleon"]
exclude_patterns = ["gallery", "pictures"]
html_theme = "furo"
html_title = "jaxstyle"
html_static_path: list[str] = []

myst_heading_anchors = 3
myst_enable_extensions = ["colon_fence", "dollarmath"]
nb_execution_mode = "off"  # tests/test_manual.py runs the cells, without a kernel

autodoc_typehints = "description"
autodoc_member_order = "bysource"
napoleon_google_docstring = True
