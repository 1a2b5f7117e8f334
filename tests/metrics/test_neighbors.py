"""Precision, recall, density and coverage against the papers' sums over all pairs, in float64."""

import numpy as np
import pytest

from jaxstyle.errors import JaxstyleError
from jaxstyle.metrics import density_coverage, neighbors, precision_recall


def distances(a, b):
    return np.linalg.norm(a[:, None].astype(np.float64) - b[None], axis=-1)


def radius(points, k):
    """To the k-th nearest other point."""
    apart = distances(points, points)
    np.fill_diagonal(apart, np.inf)
    return np.sort(apart, 1)[:, k - 1]


def reference(real, generated, k):
    """Naeem et al. 2020, equations 1 to 4, in this order: precision, recall, density, coverage."""
    apart = distances(generated, real)
    in_real, in_generated = radius(real, k)[None] >= apart, radius(generated, k)[None] >= apart.T
    return in_real.any(1).mean(), in_generated.any(1).mean(), in_real.sum(1).mean() / k, in_real.any(0).mean()


def two_sets(seed, count_real=150, count_generated=90, dimension=5):
    """As after a ReLU: far from 0, of unlike variance; generated pictures miss a part and invent another."""
    rng = np.random.default_rng(seed)
    real = rng.normal(size=(count_real, dimension)) + 20
    return real, rng.normal(size=(count_generated, dimension)) * 0.8 + 20 + 0.7 * np.eye(dimension)[0]


@pytest.mark.parametrize("k", [1, 3, 5])
@pytest.mark.parametrize("seed", range(3))
def test_they_are_the_papers(seed, k, monkeypatch):
    monkeypatch.setattr(neighbors, "DISTANCES", 1000)  # several chunks, the last one ragged
    real, generated = two_sets(seed)
    found = (*precision_recall(real, generated, k), *density_coverage(real, generated, k))
    np.testing.assert_allclose(found, reference(real, generated, k), rtol=1e-6)
    assert min(found) > 0.05 and found[0] < 1


def test_chunks_bound_the_memory(monkeypatch):
    sizes = []
    monkeypatch.setattr(neighbors, "DISTANCES", 1000)

    def spy(points, others):
        sizes.append(points.shape[0] * others.shape[0])
        return np.zeros(len(points))

    assert neighbors.in_chunks(spy, np.zeros((95, 2)), np.zeros((100, 2))).shape == (95,)
    assert sizes == [1000] * 10  # one shape, so one compiled program


def test_a_set_compared_with_itself_is_perfect():
    real, _ = two_sets(4)
    assert precision_recall(real, real.copy()) == (1, 1)
    density, coverage = density_coverage(real, real.copy(), 5)
    assert coverage == 1 and density >= 1


def test_sets_far_apart_share_nothing():
    real, generated = two_sets(5)
    assert (*precision_recall(real, generated + 100), *density_coverage(real, generated + 100)) == (0, 0, 0, 0)


def test_equal_pictures_have_distance_0():
    real = np.repeat(two_sets(6)[0][:20], 4, axis=0)  # each four times: the third neighbour is as far as the first
    np.testing.assert_allclose(neighbors.radii(real.astype(np.float32) - 20, 3), 0, atol=1e-5)


def test_too_few_pictures_are_refused():
    real, generated = two_sets(7)
    with pytest.raises(JaxstyleError, match="at least 4 pictures a side, not 3"):
        precision_recall(real, generated[:3])
