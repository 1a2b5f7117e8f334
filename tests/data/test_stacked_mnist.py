"""Stacked digits: what is in which channel, the label, and that a picture depends on split and number alone."""

import numpy as np
import pytest

from jaxstyle.data import stacked_mnist, tfds_datasets
from jaxstyle.data.config import DataConfig
from jaxstyle.data.dataset import Dataset
from jaxstyle.data.opening import open_dataset


@pytest.fixture
def digits(monkeypatch):
    """MNIST of a few digits, each of one grey level that tells which and of which split."""

    def fake(name, split, data_dir=""):
        first = {"train": 1, "test": 101}[split]
        names = tuple(map(str, range(10)))
        return Dataset(
            50, lambda i: {"image": np.full((28, 28, 1), first + i, np.uint8), "label": (first + i) % 10}, names
        )

    monkeypatch.setattr(tfds_datasets, "tfds_dataset", fake)


def test_channels_are_digits_and_the_label_is_what_they_write(digits):
    train, test = (open_dataset(DataConfig(name="stacked_mnist"), split) for split in ("train", "test"))
    assert (train.count, test.count, len(train.classes)) == (128_000, 10_000, 1000)
    examples = [test.read(i) for i in range(50)]
    for example in examples:
        levels = [np.unique(example["image"][..., c]) for c in range(3)]
        assert all(len(level) == 1 and level[0] > 100 for level in levels)  # of the test split
        text = "".join(str(level[0] % 10) for level in levels)
        assert test.classes[example["label"]] == text
    assert examples[0]["image"].shape == (28, 28, 3) and len({int(e["label"]) for e in examples}) > 40
    part = open_dataset(DataConfig(name="stacked_mnist"), "test[3:5]")
    np.testing.assert_array_equal(part.read(0)["image"], examples[3]["image"])
    assert train.read(3)["image"].max() <= 50


def test_all_kinds_are_about_as_frequent():
    """Of digits that are evenly many, by the statistic of Pearson's χ²."""
    labels = np.arange(1000) % 10
    read = stacked_mnist.reader("train", lambda: (np.zeros((1000, 1, 1, 1), np.uint8), labels))
    counts = np.bincount([int(read(i)["label"]) for i in range(10_000)], minlength=1000)
    assert np.sum((counts - 10) ** 2 / 10) == pytest.approx(999, abs=5 * (2 * 999) ** 0.5)
