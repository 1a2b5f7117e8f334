"""The residual network of small pictures."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxstyle.errors import JaxstyleError
from jaxstyle.models.resnet import ResNet, blocks_of


@pytest.mark.parametrize(("depth", "millions"), [(20, 0.27), (32, 0.46), (44, 0.66), (56, 0.85), (110, 1.7)])
def test_it_is_as_large_as_the_papers(depth, millions):
    """Table 6 of He et al. 2016."""
    model = ResNet(depth=depth)
    params = jax.eval_shape(model.init, jax.random.key(0), jnp.zeros((1, 32, 32, 3), jnp.float32))["params"]
    assert sum(leaf.size for leaf in jax.tree.leaves(params)) / 1e6 == pytest.approx(millions, rel=0.02)
    kernels = [leaf for leaf in jax.tree.leaves(params) if leaf.ndim > 1]
    assert len(kernels) == depth


@pytest.mark.parametrize("depth", [2, 7, 18, 51])
def test_other_depths_are_refused(depth):
    with pytest.raises(JaxstyleError, match=f"model.depth is {depth}; a residual network has 20, 32, 44, 56"):
        blocks_of(depth)


def small(**fields):
    return ResNet(classes=3, depth=8, width=4, axis=None, **fields)


IMAGES = np.random.default_rng(0).uniform(size=(4, 9, 12, 3)).astype(np.float32)  # an odd side


def test_shapes_dtypes_and_statistics():
    model = small(dtype=jnp.bfloat16, dropout=0.5)
    variables = jax.jit(model.init)(jax.random.key(0), IMAGES)
    apply = jax.jit(lambda v: model.apply(v, IMAGES, True, jnp.ones((4, 16), jnp.float32), mutable=["batch_stats"]))
    (logits, features), changed = apply(variables)
    assert (logits.shape, features.shape, logits.dtype, features.dtype) == ((4, 3), (4, 16), jnp.float32, jnp.float32)
    assert model.features == 16
    assert {leaf.dtype.name for leaf in jax.tree.leaves(variables)} == {"float32"}
    moved = jax.tree.map(
        lambda a, b: bool(np.any(a != b)), *jax.device_get((variables["batch_stats"], changed["batch_stats"]))
    )
    assert all(jax.tree.leaves(moved))


def test_in_evaluation_logits_depend_on_their_own_picture_alone():
    model = small()
    variables = jax.jit(model.init)(jax.random.key(0), IMAGES)
    together, _ = jax.jit(model.apply)(variables, IMAGES)
    alone, _ = jax.jit(model.apply)(variables, IMAGES[1:2])
    np.testing.assert_allclose(together[1:2], alone, atol=1e-5)
    (changed, _), _ = jax.jit(lambda v: model.apply(v, IMAGES, True, mutable=["batch_stats"]))(variables)
    assert np.abs(changed - together).max() > 1e-2  # the batch's own statistics are others


@pytest.mark.slow
def test_rematerialized_it_computes_the_same():
    plain, again = small(), small(remat=True)
    variables = jax.jit(plain.init)(jax.random.key(0), IMAGES)
    names = [jax.tree.structure(jax.jit(model.init)(jax.random.key(0), IMAGES)) for model in (plain, again)]
    assert names[0] == names[1]

    def gradient(model):
        def loss(params):
            (logits, _), _ = model.apply({**variables, "params": params}, IMAGES, True, mutable=["batch_stats"])
            return jnp.sum(jnp.square(logits))

        return jax.jit(jax.grad(loss))(variables["params"])

    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-3, atol=1e-4), gradient(plain), gradient(again))
