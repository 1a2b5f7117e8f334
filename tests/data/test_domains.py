"""Two domains side by side: pairs, orders of their own, folders, and what is drawn."""

import dataclasses

import numpy as np
import pytest

from jaxstyle.data import domain_drawings, tfds_datasets
from jaxstyle.data.config import DataConfig
from jaxstyle.data.dataset import Dataset
from jaxstyle.data.fingerprints import fingerprints
from jaxstyle.data.opening import open_dataset
from jaxstyle.data.order import Order
from jaxstyle.errors import JaxstyleError
from jaxstyle.media.image_writing import write_picture

SHAPES = DataConfig(name="shapes_outlined/filled", name_b="shapes_outlined/outlined", pairs="eval")


def test_only_test_pictures_of_shapes_are_pairs():
    train, test = (open_dataset(SHAPES, split) for split in ("train", "test"))
    assert [one.count for one in train.sources] == [4000, 3000] and not train.paired
    assert test.sources == (test,) and test.count == 1000 and test.paired
    for i in range(20):
        pair = test.read(i)
        assert pair["label"] == pair["label_b"] and pair["image"].shape == pair["image_b"].shape == (32, 32, 3)
        ground, outlined = pair["image"][0, 0], pair["image_b"]
        np.testing.assert_array_equal(ground, outlined[0, 0])
        inside = np.any(pair["image"] != ground, -1)  # nothing is drawn outside of the filled shape
        assert inside.sum() > np.any(outlined != ground, -1).sum() > 0
        assert np.all(outlined[~inside] == ground)
    labels = [(pair["label"], pair["label_b"]) for pair in map(train.read, range(60))]
    assert np.mean([a == b for a, b in labels]) < 0.2  # by chance 1 in 30


@pytest.mark.parametrize("size", [0, 16])
def test_shapes_are_drawn_with_every_label(size):
    test = open_dataset(dataclasses.replace(SHAPES, size=size), "test")
    for domain, field in zip(test.domains, ("image", "image_b"), strict=True):
        for index in range(4):
            example = test.read(index)
            drawings = [domain.read_as(index, label)["image"] for label in range(len(test.classes))]
            assert [label for label, drawn in enumerate(drawings) if np.all(drawn == example[field])] == [
                example["label"]
            ]


@pytest.fixture
def digits(monkeypatch):
    """MNIST of a few digits, each a square of its own brightness."""

    def fake(name, split, data_dir=""):
        first = {"train": 20, "test": 120}[split]
        image = np.zeros((28, 28, 1), np.uint8)
        image[8:20, 8:20] = 255
        return Dataset(40, lambda i: {"image": image - np.uint8(first + i) * (image > 0), "label": i % 10})

    monkeypatch.setattr(tfds_datasets, "tfds_dataset", fake)


def test_digits_are_textured_and_no_training_digit_is_in_both_domains(digits):
    data = DataConfig(name="digits_textured/plain", name_b="digits_textured/textured", pairs="eval")
    train, test = (open_dataset(data, split) for split in ("train[:20]", "test[:20]"))
    plain, textured = train.sources
    assert {plain.read(i)["label"] % 2 for i in range(20)} == {0}
    assert {textured.read(i)["label_b"] % 2 for i in range(20)} == {1}
    pair = test.read(3)
    assert pair["label"] == pair["label_b"] == 3
    assert np.unique(pair["image"]).tolist() == [0, 132] and np.ptp(pair["image_b"]) > 80
    np.testing.assert_array_equal(test.read(3)["image_b"], pair["image_b"])
    both = open_dataset(DataConfig(name="digits_textured/both"), "test")
    np.testing.assert_array_equal(both.read(3)["image"], pair["image_b"])
    assert both.classes == domain_drawings.DIGITS


def test_sources_have_orders_of_their_own():
    orders = [Order(12, 4, 3, source) for source in (0, 1)]
    first, second = (np.concatenate([order.indices(step) for step in range(3)]) for order in orders)
    assert np.any(first != second) and sorted(first) == sorted(second) == list(range(12))
    np.testing.assert_array_equal(first, np.random.default_rng((3, 0)).permutation(12))  # as with one source


def folders(root, first, second):
    """Two folders of grey pictures by name; a picture is as bright as its name's last digit."""
    for folder, names in (("a", first), ("b", second)):
        for name in names:
            (root / folder / "train").mkdir(parents=True, exist_ok=True)
            write_picture(root / folder / "train" / f"{name}.png", np.full((8, 8, 3), int(name[-1]) / 10))
    return DataConfig(folder=str(root / "a"), folder_b=str(root / "b"), pairs="all")


def test_pictures_of_folders_are_paired_by_name(tmp_path):
    data = folders(tmp_path, ["x1", "x2", "x3", "x4", "x5"], ["x5", "x3", "x1", "x2", "x4"])
    paired = open_dataset(data, "train")
    assert paired.paired and paired.count < 5  # some are held out, of both the same
    for example in map(paired.read, range(paired.count)):
        np.testing.assert_array_equal(example["image"], example["image_b"])
    prints = fingerprints("train", paired)
    assert [one.count for one in prints.values()] == [paired.count] * 2 and "paired" in paired.describe()
    (tmp_path / "b" / "train" / "x3.png").rename(tmp_path / "b" / "train" / "z3.png")
    with pytest.raises(JaxstyleError, match=r"the domains are paired, but .* has no picture"):
        [open_dataset(data, split) for split in ("train", "test")]


def test_folders_of_unequal_lengths(tmp_path):
    data = dataclasses.replace(folders(tmp_path, "1234", "12345678"), pairs="none")
    joined = open_dataset(data, "train")
    counts = [one.count for one in joined.sources]
    assert joined.count == min(counts) < max(counts)
    assert f"side by side only the first {joined.count}" in joined.describe()


def test_settings_that_cannot_be(tmp_path):
    with pytest.raises(JaxstyleError, match=r"data\.pairs is 'all', but there is one domain"):
        DataConfig(pairs="all")
    with pytest.raises(JaxstyleError, match=r"data\.pairs 'al' is unknown"):
        DataConfig(folder_b="b", pairs="al")
    unequal = DataConfig(name="shapes_outlined/filled", name_b="shapes_outlined/both", pairs="all")
    with pytest.raises(JaxstyleError, match=r"has 4000 examples and .* has 8000"):
        open_dataset(unequal, "train")
