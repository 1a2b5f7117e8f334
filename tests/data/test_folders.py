"""Folders of pictures."""

import pathlib

import numpy as np
import pytest
from PIL import Image

from jaxstyle.data.opening import open_dataset
from jaxstyle.errors import JaxstyleError


def write(path: pathlib.Path, height=10, width=8, value=0):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.full((height, width, 3), value, np.uint8)).save(path)


def test_folder_with_class_folders(tmp_path):
    for label, name in enumerate(("cats", "dogs")):
        for i in range(10):
            write(tmp_path / name / f"{i}.png", value=label * 100 + i)
    train, test = (open_dataset("", split, folder=str(tmp_path)) for split in ("train", "test"))
    assert (train.count, test.count, train.classes) == (16, 4, ("cats", "dogs"))
    seen = sorted(int(dataset.read(i)["image"][0, 0, 0]) for dataset in (train, test) for i in range(dataset.count))
    assert seen == [*range(10), *range(100, 110)]
    assert train.read(15)["label"] == 1
    assert [int(test.read(i)["image"][0, 0, 0]) for i in range(4)] == [4, 9, 104, 109]  # every fifth


def test_folder_without_classes_but_with_splits(tmp_path):
    write(tmp_path / "train" / "a.png", value=200)
    write(tmp_path / "test" / "b.png")
    dataset = open_dataset("", "train", folder=str(tmp_path), size=4)
    example = dataset.read(0)
    assert (dataset.count, dataset.classes, sorted(example)) == (1, (), ["image"])
    np.testing.assert_array_equal(example["image"], np.full((4, 4, 3), 200, np.uint8))


def test_bad_folders(tmp_path):
    with pytest.raises(JaxstyleError, match="there is no folder"):
        open_dataset("", "train", folder=str(tmp_path / "none"))
    with pytest.raises(JaxstyleError, match="holds no pictures"):
        open_dataset("", "train", folder=str(tmp_path))
    with pytest.raises(JaxstyleError, match=r"did you mean 'train'?"):
        open_dataset("", "trian", folder=str(tmp_path))


def test_a_class_without_pictures_is_told(tmp_path):
    write(tmp_path / "cats" / "0.png")
    (tmp_path / ".hidden").mkdir()
    assert open_dataset("", "train", folder=str(tmp_path)).classes == ("cats",)
    (tmp_path / "dogs").mkdir()
    with pytest.raises(JaxstyleError, match=r"the class 'dogs' of .* has no pictures: add some, or remove the folder"):
        open_dataset("", "train", folder=str(tmp_path))


def test_a_class_too_small_to_be_tested_is_told(tmp_path):
    for name in [f"cats/{i}.png" for i in range(5)] + ["dogs/0.png"]:
        write(tmp_path / name)
    assert open_dataset("", "train", folder=str(tmp_path)).count == 5
    with pytest.raises(JaxstyleError, match=r"the class 'dogs' of .* has no picture for 'test', .* at least 5"):
        open_dataset("", "test", folder=str(tmp_path))


def test_pictures_beside_class_folders_are_told(tmp_path):
    for name in ("cats/0.png", "1.png"):
        write(tmp_path / name)
    with pytest.raises(JaxstyleError, match=r"pictures lie both in .*, such as '1.png', and in its folder 'cats'"):
        open_dataset("", "train", folder=str(tmp_path))


def test_splits_of_different_classes_are_told(tmp_path):
    for name in ("train/cats", "train/dogs", "test/dogs"):
        write(tmp_path / name / "0.png")
    with pytest.raises(JaxstyleError, match="has not the classes of train/, which are cats, dogs"):
        open_dataset("", "test", folder=str(tmp_path))
