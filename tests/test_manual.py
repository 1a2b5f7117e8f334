"""README and manual: short, whole, their links and pictures there; the notebooks' cells run."""

import pathlib
import re
import urllib.error
import urllib.request

import pytest

ROOT = pathlib.Path(__file__).resolve().parents[1]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").rglob("*.md"))]


def test_readme_fits_a_few_screens():
    assert len((ROOT / "README.md").read_text().splitlines()) <= 150
    assert sum(path.stat().st_size for path in (ROOT / "docs" / "pictures").rglob("*.*")) <= 3 * 2**20


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


def links():
    """The addresses on other hosts in README, manual, notices and recipes."""
    beside = [ROOT / name for name in ("NOTICE", "CHANGELOG.md", "CONTRIBUTING.md", "benchmarks/README.md")]
    texts = [path.read_text() for path in (*PAGES, *beside, *(ROOT / "configs").glob("*.py"))]
    found = {link.rstrip(".,;:") for text in texts for link in re.findall(r"https?://[^\s)>\"'`]+", text)}
    return sorted(link for link in found if "127.0.0.1" not in link)


@pytest.mark.slow
@pytest.mark.parametrize("link", links())
def test_links_to_other_hosts_lead_somewhere(link):
    request = urllib.request.Request(link, headers={"User-Agent": "Mozilla/5.0 (jaxstyle's tests)"})
    try:
        urllib.request.urlopen(request, timeout=30).close()
    except urllib.error.HTTPError as error:  # others, such as 403 and 429, are told to programs, not to readers
        assert error.code not in (404, 410), link
    except OSError as error:
        pytest.skip(f"{link} cannot be reached from here: {error}")


def test_every_page_is_in_the_manual():
    listed = set(re.findall(r"^[\w/-]+$", (ROOT / "docs" / "index.md").read_text(), re.M))
    pages = {str(path.relative_to(ROOT / "docs").with_suffix("")) for path in PAGES[1:]}
    assert pages - {"index"} == listed


def test_every_recipe_is_in_the_manual():
    listed = set(re.findall(r"```\{recipe\} (\w+)", (ROOT / "docs" / "recipes.md").read_text()))
    assert listed == {path.stem for path in (ROOT / "configs").glob("[!_]*.py")}


def test_recipes_with_a_caption_have_a_picture_and_the_script_makes_it():
    captioned = re.findall(r"```\{recipe\} (\w+)\n(?!```)", (ROOT / "docs" / "recipes.md").read_text())
    made = re.findall(r"^    \"(\w+)\": ", (ROOT / "docs" / "gallery" / "recipes.py").read_text(), re.M)
    pictures = [path.stem for path in (ROOT / "docs" / "pictures" / "recipes").glob("*.jpg")]
    assert sorted(captioned) == sorted(pictures) == sorted(made)


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
