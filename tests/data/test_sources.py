"""TFDS by name, folders, and the shapes that are shipped."""

import importlib.util
import json
import pathlib
import shutil

import numpy as np
import pytest
import tensorflow_datasets as tfds
from PIL import Image

from jaxstyle.data import sources
from jaxstyle.data.jaxstyle_shapes import CLASSES, draw
from jaxstyle.data.sources import open_source
from jaxstyle.errors import JaxstyleError


def test_shapes_have_pictures_masks_and_labels(shapes_dir):
    source = open_source("jaxstyle_shapes/tiny", "train", data_dir=shapes_dir)
    assert (source.count, source.classes) == (512, CLASSES)
    for index in (0, 100, 511):
        example = source.read(index)
        assert (example["image"].shape, example["image"].dtype) == ((32, 32, 3), np.uint8)
        assert (example["label"].dtype, example["label"].shape) == (np.int32, ())
        assert set(np.unique(example["mask"])) == {0, example["label"] + 1}


@pytest.mark.parametrize("label", range(len(CLASSES)))
def test_a_shape_is_drawn_where_its_mask_is(label):
    image, mask, _ = draw(np.random.default_rng(5), label)
    inside, outside = image[mask > 0].mean(0), image[mask == 0].mean(0)
    assert 0.03 < (mask > 0).mean() < 0.6
    assert np.linalg.norm(inside - outside) > 80
    np.testing.assert_array_equal(image, draw(np.random.default_rng(5), label)[0])


def test_part_of_a_split(shapes_dir):
    assert open_source("jaxstyle_shapes/tiny", "train[:10%]", data_dir=shapes_dir).count == 51


@pytest.mark.parametrize(
    ("name", "split", "sentence"),
    [
        ("jaxstyle_shape", "train", "unknown dataset 'jaxstyle_shape'; did you mean 'jaxstyle_shapes'?"),
        ("jaxstyle_shapes/tinny", "train", "did you mean 'tiny'?"),
        ("jaxstyle_shapes/tiny", "tets", "no split 'tets' .* did you mean 'test'?"),
    ],
)
def test_misspelt_names(shapes_dir, name, split, sentence):
    with pytest.raises(JaxstyleError, match=sentence):
        open_source(name, split, data_dir=shapes_dir)


@pytest.mark.skipif(importlib.util.find_spec("tensorflow") is not None, reason="TensorFlow is there")
def test_what_needs_tensorflow_says_so_before_any_download(tmp_path):
    with pytest.raises(JaxstyleError, match=r"pip install 'jaxstyle\[tf\]'"):
        open_source("mnist", "train", data_dir=str(tmp_path))


@pytest.mark.parametrize("name", ["jaxstyle_shapes/tiny", "mnist"])
def test_what_was_prepared_in_another_format_is_told(shapes_dir, tmp_path, name):
    made = next(pathlib.Path(shapes_dir).glob("jaxstyle_shapes/tiny/*"))
    version = tfds.builder(name, data_dir=tmp_path / "none").version if name == "mnist" else made.name
    target = tmp_path / name / str(version)
    shutil.copytree(made, target)
    info = json.loads((target / "dataset_info.json").read_text())
    (target / "dataset_info.json").write_text(
        json.dumps({**info, "name": name.partition("/")[0], "version": str(version), "fileFormat": "tfrecord"})
    )
    with pytest.raises(JaxstyleError, match=r"prepared in a format .* --config.data.data_dir=DIR"):
        open_source(name, "train", data_dir=str(tmp_path))


def write(path: pathlib.Path, height=10, width=8, value=0):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.full((height, width, 3), value, np.uint8)).save(path)


def test_folder_with_class_folders(tmp_path):
    for label, name in enumerate(("cats", "dogs")):
        for i in range(10):
            write(tmp_path / name / f"{i}.png", value=label * 100 + i)
    train, test = (open_source("", split, folder=str(tmp_path)) for split in ("train", "test"))
    assert (train.count, test.count, train.classes) == (16, 4, ("cats", "dogs"))
    seen = sorted(int(source.read(i)["image"][0, 0, 0]) for source in (train, test) for i in range(source.count))
    assert seen == [*range(10), *range(100, 110)]
    assert train.read(15)["label"] == 1
    assert [int(test.read(i)["image"][0, 0, 0]) for i in range(4)] == [4, 9, 104, 109]  # every fifth


def test_folder_without_classes_but_with_splits(tmp_path):
    write(tmp_path / "train" / "a.png", value=200)
    write(tmp_path / "test" / "b.png")
    source = open_source("", "train", folder=str(tmp_path), size=4)
    example = source.read(0)
    assert (source.count, source.classes, sorted(example)) == (1, (), ["image"])
    np.testing.assert_array_equal(example["image"], np.full((4, 4, 3), 200, np.uint8))


def test_bad_folders(tmp_path):
    with pytest.raises(JaxstyleError, match="there is no folder"):
        open_source("", "train", folder=str(tmp_path / "none"))
    with pytest.raises(JaxstyleError, match="holds no pictures"):
        open_source("", "train", folder=str(tmp_path))
    with pytest.raises(JaxstyleError, match=r"did you mean 'train'?"):
        open_source("", "trian", folder=str(tmp_path))


def test_a_class_without_pictures_is_told(tmp_path):
    write(tmp_path / "cats" / "0.png")
    (tmp_path / ".hidden").mkdir()
    assert open_source("", "train", folder=str(tmp_path)).classes == ("cats",)
    (tmp_path / "dogs").mkdir()
    with pytest.raises(JaxstyleError, match=r"the class 'dogs' of .* has no pictures: add some, or remove the folder"):
        open_source("", "train", folder=str(tmp_path))


def test_a_class_too_small_to_be_tested_is_told(tmp_path):
    for name in [f"cats/{i}.png" for i in range(5)] + ["dogs/0.png"]:
        write(tmp_path / name)
    assert open_source("", "train", folder=str(tmp_path)).count == 5
    with pytest.raises(JaxstyleError, match=r"the class 'dogs' of .* has no picture for 'test', .* at least 5"):
        open_source("", "test", folder=str(tmp_path))


def test_pictures_beside_class_folders_are_told(tmp_path):
    for name in ("cats/0.png", "1.png"):
        write(tmp_path / name)
    with pytest.raises(JaxstyleError, match=r"pictures lie both in .*, such as '1.png', and in its folder 'cats'"):
        open_source("", "train", folder=str(tmp_path))


def test_splits_of_different_classes_are_told(tmp_path):
    for name in ("train/cats", "train/dogs", "test/dogs"):
        write(tmp_path / name / "0.png")
    with pytest.raises(JaxstyleError, match="has not the classes of train/, which are cats, dogs"):
        open_source("", "test", folder=str(tmp_path))


def test_64_bit_numbers_are_narrowed():
    example = sources.arrays({"label": np.int64(3), "text": b"x", "more": {"a": 1}, "score": 0.5})
    assert {name: value.dtype.name for name, value in example.items()} == {"label": "int32", "score": "float32"}
