"""Sphinx's configuration of the manual: `pip install '.[docs]'`, then `sphinx-build -W docs build/manual`."""

import ast
import pathlib

from docutils import nodes
from docutils.parsers.rst import Directive
from docutils.statemachine import StringList
from sphinx.application import Sphinx

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
nb_execution_mode = "off"  # .ci/nightly executes them in the build, tests/test_manual.py runs their cells

autodoc_typehints = "description"
autodoc_member_order = "bysource"
napoleon_google_docstring = True


class Recipe(Directive):
    """`{recipe} NAME` is the docstring of configs/NAME.py; a caption below it shows pictures/recipes/NAME.jpg."""

    required_arguments = 1
    has_content = True

    def run(self) -> list[nodes.Node]:
        """Parses the docstring, and the caption as that of a figure, as the page is parsed."""
        name = self.arguments[0]
        path = pathlib.Path(__file__).parents[1] / "configs" / f"{name}.py"
        self.state.document.settings.env.note_dependency(str(path))
        lines = (ast.get_docstring(ast.parse(path.read_text())) or "").splitlines()
        if self.content:
            caption = " ".join(self.content)
            lines += ["", f":::{{figure}} pictures/recipes/{name}.jpg", f":alt: {caption}", "", caption, ":::"]
        made = nodes.container()
        self.state.nested_parse(StringList(lines, str(path)), self.content_offset, made)
        return [made]


def setup(app: Sphinx) -> None:
    """Adds the directive."""
    app.add_directive("recipe", Recipe)
