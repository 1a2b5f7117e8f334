"""The patchwise contrastive loss against float64 NumPy and SciPy, and its gradients."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.special

from jaxstyle.losses import patch_contrast


def vectors(seed, *shape):
    x = np.random.default_rng(seed).standard_normal(shape)
    return np.float32(x / np.linalg.norm(x, axis=-1, keepdims=True))


def reference(queries, keys, temperature):
    """Park et al. 2020, eq. 3, place by place."""
    found = []
    for q, k in zip(np.float64(queries), np.float64(keys), strict=True):
        terms = [-scipy.special.log_softmax(k @ q[place] / temperature)[place] for place in range(len(q))]
        found.append(np.mean(terms))
    return np.array(found)


QUERIES, KEYS = vectors(0, 2, 9, 5), vectors(1, 2, 9, 5)


@pytest.mark.parametrize("temperature", [0.07, 1.0])
def test_is_the_published_loss(temperature):
    found = jax.jit(lambda q, k: patch_contrast(q, k, temperature=temperature))(QUERIES, KEYS)
    np.testing.assert_allclose(found, reference(QUERIES, KEYS, temperature), rtol=1e-5)
    assert reference(QUERIES, QUERIES, 0.07).max() < 0.2  # every place is found again
    same = np.broadcast_to(KEYS[:, :1], KEYS.shape)
    np.testing.assert_allclose(patch_contrast(QUERIES, same), np.log(9), rtol=1e-5)


def test_gradients_reach_the_queries_alone():
    along, keys = np.float64(vectors(2, *QUERIES.shape)), jnp.asarray(KEYS)
    grads = jax.jit(jax.grad(lambda q, k: jnp.sum(patch_contrast(q, k)), (0, 1)))(QUERIES, keys)
    ends = [reference(QUERIES + size * along, KEYS, 0.07).sum() for size in (1e-4, -1e-4)]
    np.testing.assert_allclose(np.vdot(grads[0], along), (ends[0] - ends[1]) / 2e-4, rtol=1e-4)
    assert not np.any(grads[1])


def test_other_places_are_refused():
    with pytest.raises(ValueError, match="of the same places"):
        patch_contrast(QUERIES, KEYS[:, :8])
