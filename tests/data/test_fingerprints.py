"""Fingerprints: what they notice, and what they say."""

import dataclasses
import json

import numpy as np
import pytest
from PIL import Image

from jaxstyle.data.config import DataConfig
from jaxstyle.data.fingerprints import Fingerprint, differences, fingerprint
from jaxstyle.data.opening import open_dataset


@pytest.fixture
def folder(tmp_path):
    for name in ("train/cats", "train/dogs", "train/owls", "test/x"):
        (tmp_path / name).mkdir(parents=True)
        for i in range(4):
            Image.new("RGB", (4 + i, 4)).save(tmp_path / name / f"{name[-4]}{i}.png")
    return tmp_path


def taken(folder, **settings):
    return fingerprint(open_dataset(DataConfig(folder=str(folder), **settings), "train"))


def test_a_moved_folder_has_the_same_fingerprint_also_after_json(folder, tmp_path_factory):
    before = taken(folder)
    assert (before.count, before.classes) == (12, ("cats", "dogs", "owls"))
    restored = Fingerprint.from_json(json.loads(json.dumps(dataclasses.asdict(before))))
    moved = folder.rename(tmp_path_factory.mktemp("other") / "pets")
    assert restored == taken(moved) and differences(restored, taken(moved)) == []


def test_every_change_is_said_in_words(folder):
    before, train = taken(folder), folder / "train"
    (train / "cats").rename(train / "felines")
    assert differences(before, taken(folder)) == ["the class 'cats' is now called 'felines'"]
    (train / "felines" / "c0.png").unlink()
    assert differences(before, taken(folder)) == [
        "the class 'cats' is gone (4 pictures)",
        "the class 'felines' is new (3 pictures)",
    ]
    before = taken(folder)
    Image.new("RGB", (4, 4)).save(train / "dogs" / "new.png")
    (train / "owls" / "o1.png").rename(train / "owls" / "o9.png")
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (9, 9, 3), np.uint8)).save(train / "felines" / "c1.png")
    dogs, felines, owls = differences(before, taken(folder))
    assert dogs == "'dogs' has 1 picture more (5, it had 4)"
    assert felines.startswith("the pictures of 'felines' have other contents (")
    assert owls == "'owls' has as many examples as before, but others, or under other names"


def test_datasets_of_tfds_and_plain_folders(shapes_dir, tmp_path):
    data = DataConfig(name="jaxstyle_shapes/tiny", data_dir=shapes_dir)
    whole, part = (fingerprint(open_dataset(data, split)) for split in ("train", "train[:10%]"))
    assert len(whole.classes) == 10 and differences(whole, whole) == []
    assert differences(whole, part) == ["the split has 461 pictures fewer (51, it had 512)"]
    for i in range(3):
        Image.new("RGB", (4, 4)).save(tmp_path / f"{i}.png")
    before = taken(tmp_path)
    assert before.classes == () and differences(before, taken(tmp_path)) == []


def test_masks_count_too(tmp_path):
    for name in ("a.png", "a_mask.png", "b.png", "b_mask.png"):
        Image.new("L", (6, 6)).save(tmp_path / name)
    settings = {"mask_suffix": "_mask", "mask_classes": ("no", "yes"), "held_out": 0.001}
    before = taken(tmp_path, **settings)
    for name in ("a", "b"):
        noise = np.random.default_rng(0).integers(0, 2, (6, 6), np.uint8)
        Image.fromarray(noise).save(tmp_path / f"{name}_mask.png")
    (clause,) = differences(before, taken(tmp_path, **settings))
    assert clause.startswith("the masks of the split have other contents")
