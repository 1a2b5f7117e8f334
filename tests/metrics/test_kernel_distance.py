"""KID against sums over pairs, written out."""

import numpy as np
import pytest

from jaxstyle.errors import JaxstyleError
from jaxstyle.metrics import kernel_distance
from jaxstyle.metrics.kernel import squared_mmd


def kernel(x, y):
    return (np.dot(x, y) / len(x) + 1) ** 3


def by_pairs(a, b):
    """Gretton et al. 2012, equation 3, pair by pair."""
    m, n = len(a), len(b)
    within_a = sum(kernel(a[i], a[j]) for i in range(m) for j in range(m) if i != j)
    within_b = sum(kernel(b[i], b[j]) for i in range(n) for j in range(n) if i != j)
    across = sum(kernel(x, y) for x in a for y in b)
    return within_a / (m * (m - 1)) + within_b / (n * (n - 1)) - 2 * across / (m * n)


def two_sets(seed, count_a, count_b, dimension=6, shift=0.3):
    rng = np.random.default_rng(seed)
    return rng.normal(size=(count_a, dimension)), rng.normal(size=(count_b, dimension)) + shift


@pytest.mark.parametrize("seed", range(3))
def test_the_estimate_is_the_sum_over_pairs(seed):
    a, b = two_sets(seed, 13, 9)
    np.testing.assert_allclose(squared_mmd(a, b), by_pairs(a, b), rtol=1e-10)


def test_all_pictures_where_there_are_fewer_than_a_subset():
    a, b = two_sets(0, 15, 15)
    mean, deviation = kernel_distance(a.astype(np.float32), b.astype(np.float32), subsets=3)
    # Each subset is everything in another order; the inputs are rounded to float32.
    np.testing.assert_allclose(mean, by_pairs(a, b), rtol=1e-5)
    assert deviation < 1e-10


def test_it_is_unbiased_and_a_function_of_the_seed():
    """Of one distribution's two samples the estimate is 0 within its error; biased, it would be 0.4."""
    a, b = two_sets(1, 400, 400, shift=0)
    mean, deviation = kernel_distance(a, b, subsets=50, size=40)
    assert abs(mean) < 3 * deviation / np.sqrt(10) and 0 < deviation < 1  # 400 pictures make ten subsets of 40
    assert (mean, deviation) == kernel_distance(a, b, subsets=50, size=40)
    assert mean != kernel_distance(a, b, subsets=50, size=40, seed=1)[0]


def test_too_few_pictures_are_refused():
    a, b = two_sets(2, 1, 5)
    with pytest.raises(JaxstyleError, match="at least 2 pictures a side, not 1"):
        kernel_distance(a, b)
