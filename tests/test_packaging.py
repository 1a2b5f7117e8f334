"""The wheel holds every room and the recipes; public names are all there."""

import pathlib
import tomllib

import jaxstyle

ROOT = pathlib.Path(__file__).resolve().parents[1]


def test_every_room_and_the_recipes_are_packaged():
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())
    rooms = {".".join(path.parent.relative_to(ROOT).parts) for path in (ROOT / "jaxstyle").rglob("__init__.py")}
    assert set(project["tool"]["setuptools"]["packages"]) == rooms | {"jaxstyle.configs"}
    assert project["tool"]["setuptools"]["package-dir"]["jaxstyle.configs"] == "configs"
    folders = {path.parent for path in (ROOT / "jaxstyle").rglob("*.py")}
    assert all((folder / "__init__.py").exists() for folder in folders)


def test_every_public_name_is_listed_and_there():
    assert set(jaxstyle.__all__) <= set(dir(jaxstyle))
    assert jaxstyle.__all__ == sorted(jaxstyle.__all__)
    assert {"apply_style", "evaluate", "predict", "sample", "segment", "Interrupted"} <= set(jaxstyle.__all__)
    for name in jaxstyle.__all__:
        assert getattr(jaxstyle, name) is not None
