"""The arrow rule: a room imports from the rooms below it, and from none above."""

import ast
import pathlib

import jaxstyle

ROOT = pathlib.Path(jaxstyle.__file__).parent
STEPS = (
    *(["errors", "_version"], ["runtime"], ["ops", "media"], ["losses", "metrics", "features", "models"]),
    *(["perceptual", "data"], ["pixels", "training"], ["tasks"], ["inference"], ["jobs"], ["api"], ["studio"], ["cli"]),
)
WITHIN_A_STEP = {("models", "features"), ("models", "losses"), ("metrics", "losses")}
NEVER = {("tasks", "pixels")}
LEVEL = {room: level for level, rooms in enumerate(STEPS) for room in rooms}


def imports(path):
    """The modules of jaxstyle that a file imports, as far as they can be told without running it."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module and node.module.split(".")[0] == "jaxstyle":
            yield from (f"{node.module}.{alias.name}" for alias in node.names)
        elif isinstance(node, ast.Import):
            yield from (alias.name for alias in node.names if alias.name.split(".")[0] == "jaxstyle")


def allowed(here, there):
    level = LEVEL.get(there, 99)
    return here == there or (here, there) in WITHIN_A_STEP or (level < LEVEL[here] and (here, there) not in NEVER)


def test_every_import_goes_down():
    files = [path for path in ROOT.rglob("*.py") if path.parent != ROOT or path.name != "__init__.py"]
    assert len(files) > 150
    for path in files:
        here = path.relative_to(ROOT).with_suffix("").parts[0]
        for module in imports(path):
            there = module.split(".")[1] if "." in module else ""
            assert allowed(here, there), f"{path.relative_to(ROOT)}: {here} imports {module}"
