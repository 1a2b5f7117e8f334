"""README and manual: short, whole, their links and pictures there; the notebooks' cells run."""

import pathlib
import re

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]


def test_readme_fits_a_few_screens():
    assert len((ROOT / "README.md").read_text().splitlines()) <= 150
    assert sum(path.stat().st_size for path in (ROOT / "docs" / "pictures").iterdir()) <= 3 * 2**20


@pytest.mark.parametrize("page", PAGES, ids=lambda path: path.name)
def test_links_lead_somewhere(page):
    text = page.read_text()
    for target in re.findall(r"\]\(([^)\s]+)\)|src=\"([^\"]+)\"", text):
        name, _, anchor = "".join(target).partition("#")
        if not name.startswith("http"):
            there = page.parent / name if name else page
            assert there.exists(), name
            headings = re.findall(r"^#+ (.+)$", there.read_text(), re.M) if anchor else []
            assert not anchor or anchor in [re.sub(r"[^\w -]", "", h).lower().replace(" ", "-") for h in headings]


def test_every_page_is_in_the_manual():
    listed = set(re.findall(r"^[\w/-]+$", (ROOT / "docs" / "index.md").read_text(), re.M))
    pages = {str(path.relative_to(ROOT / "docs").with_suffix("")) for path in PAGES[1:]}
    assert pages - {"index"} == listed


def test_every_recipe_is_in_the_manual():
    listed = set(re.findall(r"```\{recipe\} (\w+)", (ROOT / "docs" / "recipes.md").read_text()))
    assert listed == {path.stem for path in (ROOT / "configs").glob("[!_]*.py")}


@pytest.mark.slow
@pytest.mark.parametrize("page", sorted((ROOT / "docs" / "notebooks").glob("*.md")), ids=lambda path: path.stem)
def test_a_notebook_runs(page):
    cells = re.findall(r"```\{code-cell\}\n(.*?)```", page.read_text(), re.S)
    assert cells
    names = {}
    for cell in cells:
        exec(cell, names)
    if "result" in names:
        assert names["result"].picture.shape == (72, 96, 3)
