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


def test_the_last_batch_is_padded():
    batches = list(padded_batches(5, 3))
    np.testing.assert_array_equal([indices for indices, _ in batches], [[0, 1, 2], [3, 4, 4]])
    np.testing.assert_array_equal([weight for _, weight in batches], [[1, 1, 1], [1, 1, 0]])
