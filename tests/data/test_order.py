"""The order of examples."""

import numpy as np
import pytest

from jaxstyle.data.order import Order, padded_batches


@pytest.mark.parametrize(("count", "batch_size"), [(12, 4), (10, 4), (3, 8)])
def test_every_example_once_an_epoch(count, batch_size):
    order = Order(count, batch_size, seed=1)
    seen = np.concatenate([order.indices(step) for step in range(3 * count)])
    for epoch in range(3):
        np.testing.assert_array_equal(np.sort(seen[epoch * count : (epoch + 1) * count]), np.arange(count))


def test_an_epoch_depends_on_seed_and_epoch_only():
    def sequence(batch_size, seed):
        return np.concatenate([Order(24, batch_size, seed).indices(step) for step in range(48 // batch_size)])

    np.testing.assert_array_equal(sequence(4, 7), sequence(12, 7))
    assert np.any(sequence(4, 7) != sequence(4, 8))
    assert np.any(sequence(4, 7)[:24] != sequence(4, 7)[24:])


def test_balanced_epochs_have_every_class_as_often():
    labels = np.repeat([0, 1, 3], [2, 30, 9]).astype(np.int32)
    order = Order(41, 7, 5, labels=labels.tobytes())
    seen = np.concatenate([order.indices(step) for step in range(41)])
    np.testing.assert_array_equal(
        seen, np.concatenate([Order(41, 41, 5, 0, labels.tobytes()).indices(i) for i in range(7)])
    )
    for epoch in seen.reshape(7, 41):
        counts = np.bincount(labels[epoch], minlength=4)
        assert counts[2] == 0 and sorted(counts[[0, 1, 3]]) == [13, 14, 14]
        rare = np.bincount(epoch, minlength=41)[labels != 1]
        assert rare[:2].min() >= 6 and rare[2:].min() >= 1  # 13 draws of 2, and of 9
        assert np.bincount(epoch)[labels[: epoch.max() + 1] == 1].max() == 1  # 13 draws of 30 repeat none
    assert set(seen) == set(range(41))
    assert np.any(seen[:41] != seen[41:82])


def test_the_last_batch_is_padded():
    batches = list(padded_batches(5, 3))
    np.testing.assert_array_equal([indices for indices, _ in batches], [[0, 1, 2], [3, 4, 4]])
    np.testing.assert_array_equal([weight for _, weight in batches], [[1, 1, 1], [1, 1, 0]])
