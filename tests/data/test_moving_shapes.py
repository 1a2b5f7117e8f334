"""Films of moving shapes, as drawn and as read back."""

import numpy as np
import pytest

from jaxstyle.data.config import DataConfig
from jaxstyle.data.jaxstyle_shapes import CLASSES
from jaxstyle.data.moving_shapes import film, path
from jaxstyle.data.opening import open_dataset


def test_films_are_read_as_they_were_drawn(tmp_path):
    train, test = (
        open_dataset(DataConfig(name="moving_shapes/tiny", data_dir=str(tmp_path)), split)
        for split in ("train", "test")
    )
    assert (train.count, test.count, train.classes) == (40, 10, CLASSES)
    drawn = [film(np.random.default_rng((1, number)), number, 8, 32) for number in range(10)]
    for index in range(10):  # TFDS shuffles
        example = test.read(index)
        assert (example["video"].shape, example["video"].dtype) == ((8, 32, 32, 3), np.uint8)
        np.testing.assert_array_equal(example["video"], drawn[example["label"]])


@pytest.mark.parametrize("label", range(len(CLASSES)))
def test_something_moves_over_a_ground_that_stays(label):
    video = film(np.random.default_rng(label), label, 12, 48)
    ground = np.median(video.reshape(-1, 3), 0)
    shown = np.abs(video.astype(float) - ground).sum(-1) > 60
    assert 0.02 < shown.mean() < 0.4
    moved = np.abs(np.diff(video.astype(int), axis=0)).sum(-1) > 60
    assert moved.mean((1, 2)).min() > 0 and moved.mean() < 0.2
    np.testing.assert_array_equal(video, film(np.random.default_rng(label), label, 12, 48))


def test_paths_stay_inside_move_evenly_and_bounce():
    bounced = 0
    for seed in range(20):
        centres = path(np.random.default_rng(seed), 6.0, 40, 64)
        assert centres.min() >= 6 and centres.max() <= 58
        steps = np.diff(centres, axis=0)
        lengths = np.linalg.norm(steps, axis=1)
        assert 0.02 * 64 <= lengths.max() <= 0.06 * 64 and np.sum(np.isclose(lengths, lengths.max())) > 20
        bounced += np.any(np.sign(steps).min(0) != np.sign(steps).max(0))
    assert bounced > 15
