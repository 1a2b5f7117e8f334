"""TFDS datasets by name, and the shapes that are shipped."""

import importlib.util
import json
import pathlib
import shutil

import numpy as np
import pytest
import tensorflow_datasets as tfds

from jaxstyle.data.config import DataConfig
from jaxstyle.data.jaxstyle_shapes import CLASSES, draw
from jaxstyle.data.opening import open_dataset
from jaxstyle.data.tfds_datasets import arrays
from jaxstyle.errors import JaxstyleError


def test_shapes_have_pictures_masks_and_labels(shapes_dir):
    dataset = open_dataset(DataConfig(name="jaxstyle_shapes/tiny", data_dir=shapes_dir), "train")
    assert (dataset.count, dataset.classes) == (512, CLASSES)
    for index in (0, 100, 511):
        example = dataset.read(index)
        assert (example["image"].shape, example["image"].dtype) == ((32, 32, 3), np.uint8)
        assert (example["label"].dtype, example["label"].shape) == (np.int32, ())
        assert set(np.unique(example["mask"])) == {0, example["label"] + 1}
    labels = [int(dataset.read(index)["label"]) for index in range(dataset.count)]
    assert dataset.class_counts() == tuple(np.bincount(labels, minlength=len(CLASSES)))


@pytest.mark.parametrize("label", range(len(CLASSES)))
def test_a_shape_is_drawn_where_its_mask_is(label):
    image, mask, _ = draw(np.random.default_rng(5), label)
    inside, outside = image[mask > 0].mean(0), image[mask == 0].mean(0)
    assert 0.03 < (mask > 0).mean() < 0.6
    assert np.linalg.norm(inside - outside) > 80
    np.testing.assert_array_equal(image, draw(np.random.default_rng(5), label)[0])


def test_part_of_a_split(shapes_dir):
    assert open_dataset(DataConfig(name="jaxstyle_shapes/tiny", data_dir=shapes_dir), "train[:10%]").count == 51


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
        open_dataset(DataConfig(name=name, data_dir=shapes_dir), split)


@pytest.mark.skipif(importlib.util.find_spec("tensorflow") is not None, reason="TensorFlow is there")
def test_what_needs_tensorflow_says_so_before_any_download(tmp_path):
    with pytest.raises(JaxstyleError, match=r"pip install 'jaxstyle\[tf\]'"):
        open_dataset(DataConfig(name="horses_or_humans", data_dir=str(tmp_path)), "train")


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
    with pytest.raises(JaxstyleError, match=r"prepared in a format .* data.data_dir=DIR"):
        open_dataset(DataConfig(name=name, data_dir=str(tmp_path)), "train")


def test_64_bit_numbers_are_narrowed():
    example = arrays({"label": np.int64(3), "text": b"x", "more": {"a": 1}, "score": 0.5})
    assert {name: value.dtype.name for name, value in example.items()} == {"label": "int32", "score": "float32"}
