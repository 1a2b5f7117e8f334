"""Hostile prepared datasets (TFDS), and masks, through `train`."""

import os
import pathlib
import shutil

import numpy as np
import pytest
from hostile.corpus import PLACES, RECIPE, cut, encoded, flipped, nested
from PIL import Image

from jaxstyle.training import loop


@pytest.fixture(autouse=True)
def no_training(monkeypatch):
    """What is read must be read; that it can be trained is tested elsewhere."""
    monkeypatch.setattr(loop.Training, "train", lambda self, *_: self.batch(0) is not None)


@pytest.fixture
def train(attempt, here):
    """Begins a training of the tiny task on some data."""

    def run(data_dir, **changes):
        told = "".join(f", {name}={value!r}" for name, value in {"train_steps": 1, "devices": 1, **changes}.items())
        (here / "good.py").write_text(RECIPE.format(f"return tiny_task.tiny_config({data_dir!r}{told})"))
        return attempt("train", "good.py", "--workdir", "out/run")

    return run


def every(change):
    return lambda files: [change(path) for path in files]


DAMAGES = {
    "nothing": every(lambda path: path.write_bytes(b"")),
    "half": every(lambda path: path.write_bytes(path.read_bytes()[: path.stat().st_size // 2])),
    "wrong bytes": every(lambda path: path.write_bytes(flipped(path.read_bytes(), 0, 20))),
    "zeros": every(lambda path: path.write_bytes(bytes(path.stat().st_size))),
    "text": every(lambda path: path.write_bytes(b"hello")),
    "nested": every(lambda path: path.write_text(nested(10**5))),
    "missing": every(os.unlink),
    **{place: every(lambda path, make=make: (path.unlink(), make(path))) for place, make in PLACES.items()},
}


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["dataset_info.json", "features.json", "array_record"])
@pytest.mark.parametrize("damage", DAMAGES)
def test_prepared_datasets(train, here, shapes_dir, kind, damage):
    shutil.copytree(shapes_dir, here / "data")
    files = [path for path in sorted((here / "data").rglob("*")) if path.is_file() and kind in path.name]
    assert files
    DAMAGES[damage](files)
    train("data")


def mask(values):
    return encoded("PNG", Image.fromarray(np.asarray(values, np.uint8)))


MASKS = {
    "whole": mask(np.zeros((48, 64))),
    "of another size": mask(np.zeros((10, 10))),
    "of noise": mask(np.random.default_rng(0).integers(0, 255, (48, 64))),
    "a JPEG": encoded("JPEG"),
    **dict(cut(encoded("PNG"), {"8 bytes": 8, "half": 0.5})),
    **PLACES,
}


@pytest.mark.parametrize("name", MASKS)
def test_masks(train, here, name):
    for number in range(8):
        for folder, made in (("pictures", encoded("PNG")), ("masks", MASKS[name])):
            path = pathlib.Path(here, folder, f"{number}.png")
            path.parent.mkdir(exist_ok=True)
            path.write_bytes(made) if isinstance(made, bytes) else made(path)
    masks = {"data__masks": "masks", "data__mask_classes": ("a", "b"), "data__size": 32, "batch_size": 2}
    train("", data__name="", data__folder="pictures", **masks)
