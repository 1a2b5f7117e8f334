"""Moving digits: paths, walls, what is drawn where, and splits."""

import numpy as np
import pytest

from jaxstyle.data import moving_mnist, tfds_datasets
from jaxstyle.data.config import DataConfig
from jaxstyle.data.dataset import Dataset
from jaxstyle.data.opening import open_dataset
from jaxstyle.errors import JaxstyleError


def published(rng, frames, room=36):
    """A path as the published generator makes it, step by step, in whole pixels."""
    (y, x), angle = rng.uniform(size=2), rng.uniform(0, 2 * np.pi)
    speeds, signs, places, out = (np.sin(angle), np.cos(angle)), [1, 1], [y, x], []
    for _ in range(frames):
        for axis in range(2):
            places[axis] += signs[axis] * speeds[axis] * 0.1
            if places[axis] <= 0:
                places[axis], signs[axis] = 0, -signs[axis]
            if places[axis] >= 1.0:
                places[axis], signs[axis] = 1.0, -signs[axis]
        out.append([int(room * place) for place in places])
    return np.array(out)


@pytest.mark.parametrize("seed", range(5))
def test_paths_are_the_published_generators(seed):
    found = moving_mnist.path(np.random.default_rng(seed), 60) * 36
    np.testing.assert_array_equal(found.astype(int), published(np.random.default_rng(seed), 60))
    steps = np.diff(found, axis=0)
    assert np.any((steps.min(0) < 0) & (steps.max(0) > 0))  # it bounced


def test_where_digits_meet_the_brighter_pixel_is_seen():
    digits = np.stack([np.full((28, 28), 100, np.uint8), np.full((28, 28), 200, np.uint8)])
    video = moving_mnist.film(np.random.default_rng(0), digits)
    assert (video.shape, video.dtype) == ((20, 64, 64), np.uint8)
    assert set(np.unique(video)) == {0, 100, 200}
    np.testing.assert_array_equal((video == 200).sum((1, 2)), 28 * 28)  # the second is never hidden
    assert np.all((video > 0).sum((1, 2)) <= 2 * 28 * 28)


@pytest.fixture
def digits(monkeypatch):
    """MNIST of a few digits, each of one grey level that tells which and of which split."""

    def fake(name, split, data_dir=""):
        assert name == "mnist"
        first = {"train": 1, "test": 101}[split]
        names = tuple(map(str, range(10)))
        return Dataset(
            50, lambda i: {"image": np.full((28, 28, 1), first + i, np.uint8), "label": (first + i) % 10}, names
        )

    monkeypatch.setattr(tfds_datasets, "tfds_dataset", fake)


def test_a_clip_is_a_function_of_split_and_number(digits):
    train, test = (open_dataset(DataConfig(name="moving_mnist"), split) for split in ("train", "test"))
    assert (train.count, test.count) == (10_000, 1_000)
    first = train.read(3)["video"]
    assert (first.shape, first.dtype) == ((20, 64, 64, 1), np.uint8)
    assert first.max() <= 50 and test.read(3)["video"].max() > 100  # each of its own split's digits
    part = open_dataset(DataConfig(name="moving_mnist/fresh"), "train[3:7]")
    assert part.count == 4
    np.testing.assert_array_equal(part.read(0)["video"], first)
    assert np.any(part.read(1)["video"] != first)


def test_a_clip_of_a_single_digit_has_its_label(digits):
    dataset = open_dataset(DataConfig(name="moving_mnist/single"), "test")
    assert (dataset.count, dataset.classes) == (10_000, tuple(map(str, range(10))))
    clips = [dataset.read(i) for i in range(20)]
    levels = {tuple(np.unique(clip["video"])) for clip in clips}
    assert len(levels) > 10 and all(len(level) == 2 and level[0] == 0 for level in levels)
    assert all(clip["label"] == clip["video"].max() % 10 for clip in clips)
    assert "label" not in open_dataset(DataConfig(name="moving_mnist"), "test").read(0)


@pytest.mark.parametrize(
    ("name", "split", "sentence"),
    [
        ("moving_mnist/fulll", "train", "no variant 'fulll' of 'moving_mnist'; did you mean 'full'"),
        ("moving_mnist", "tset", "no split 'tset' in 'moving_mnist'; did you mean 'test'"),
        ("moving_mnist", "train+test", "is of several parts"),
        ("moving_mnist", "train[5:5]", "is empty"),
    ],
)
def test_what_there_is_not_is_told(digits, name, split, sentence):
    with pytest.raises(JaxstyleError, match=sentence):
        open_dataset(DataConfig(name=name), split)


def test_films_are_cut_and_resized_too(tmp_path):
    dataset = open_dataset(DataConfig(name="moving_shapes/tiny", data_dir=str(tmp_path), size=16), "test")
    video = dataset.read(0)["video"]
    assert (video.shape, video.dtype) == ((8, 16, 16, 3), np.uint8)
