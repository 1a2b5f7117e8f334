"""The small CNN."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxstyle.models.cnn import SmallCNN


def test_layers_are_those_of_the_recipe():
    params = jax.eval_shape(SmallCNN().init, jax.random.key(0), jnp.zeros((1, 28, 28, 1), jnp.float32))["params"]
    kernels = {name: layer["kernel"].shape for name, layer in params.items()}
    assert kernels == {
        "Conv_0": (3, 3, 1, 32),
        "Conv_1": (3, 3, 32, 64),
        "Conv_2": (3, 3, 64, 64),
        "Dense_0": (7 * 7 * 64, 64),
        "Dense_1": (64, 10),
    }


@pytest.mark.parametrize("dtype", [jnp.float32, jnp.bfloat16])
def test_shapes_and_dtypes(dtype):
    model = SmallCNN(classes=5, dtype=dtype)
    images = jnp.zeros((2, 16, 12, 3), jnp.float32)
    params = jax.jit(model.init)(jax.random.key(0), images)
    logits, features = jax.jit(model.apply)(params, images)
    assert (logits.shape, features.shape, logits.dtype, features.dtype) == ((2, 5), (2, 64), jnp.float32, jnp.float32)


def test_dropout_drops_where_the_noise_is_small():
    model = SmallCNN(dropout=0.5)
    images = jnp.ones((1, 8, 8, 1), jnp.float32)
    params = jax.jit(model.init)(jax.random.key(0), images)
    dense = jax.device_get(params["params"]["Dense_1"])
    apply = jax.jit(lambda params, noise: model.apply(params, images, noise=noise))
    all_dropped, _ = apply(params, jnp.zeros((1, 64), jnp.float32))
    np.testing.assert_allclose(all_dropped[0], dense["bias"])
    kept, features = jax.device_get(apply(params, jnp.full((1, 64), 0.9, jnp.float32)))
    np.testing.assert_allclose(kept, 2 * features @ dense["kernel"] + dense["bias"][None], rtol=1e-4, atol=1e-6)


@pytest.mark.slow
def test_rematerialized_it_computes_the_same_and_keeps_less():
    """The names and values of parameters and gradients are those of the plain model."""
    plain, again = SmallCNN(5), SmallCNN(5, remat=True)
    images = np.random.default_rng(0).uniform(size=(2, 8, 8, 3)).astype(np.float32)
    params = jax.jit(plain.init)(jax.random.key(0), images)
    found, expected = (jax.jit(jax.grad(loss))(params) for loss in (loss_of(again, images), loss_of(plain, images)))
    jax.tree.map(lambda a, b: np.testing.assert_allclose(a, b, rtol=1e-5, atol=1e-6), found, expected)
    programs = [str(jax.make_jaxpr(jax.grad(loss_of(model, images)))(params)) for model in (plain, again)]
    assert ["remat" in program or "checkpoint" in program for program in programs] == [False, True]


def loss_of(model, images):
    return lambda params: jnp.sum(model.apply(params, images)[0] ** 2)
