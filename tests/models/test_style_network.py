"""The stylisation network against a float64 forward in NumPy, with random and with magenta's real weights."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from style_reference import sigmoid, stylised

from jaxstyle.errors import JaxstyleError
from jaxstyle.inference.converters import convert
from jaxstyle.media.image_reading import read_picture
from jaxstyle.media.image_resizing import resize
from jaxstyle.models.style_network import StyleNetwork

LAST = {"sigmoid": sigmoid, "tanh": lambda x: (1 + np.tanh(x)) / 2}


def normal(seed, *shape):
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


def picture(height, width, count=1):
    return np.random.default_rng(9).random((count, height, width, 3), np.float32)


@functools.cache
def network(output="sigmoid"):
    """A tiny network of three styles whose parameters are all random."""
    module = StyleNetwork(styles=3, width=4, blocks=1, output=output)
    params = jax.jit(module.init)(jax.random.key(0), picture(8, 8), np.zeros((1, 3), np.float32))["params"]
    leaves, tree = jax.tree.flatten(params)
    return module, tree.unflatten([leaf + 0.3 * normal(i, *leaf.shape) for i, leaf in enumerate(leaves)])


@functools.cache
def compiled(module):
    return jax.jit(lambda p, x, w: module.apply({"params": p}, x, w))


def run(module, params, pictures, weights):
    return np.asarray(compiled(module)(params, pictures, weights))


@pytest.mark.parametrize(
    "output", ["sigmoid", pytest.param("tanh", marks=pytest.mark.slow)]
)  # linear ones: see the converted checkpoint
def test_equals_the_papers_forward(output):
    module, params = network(output)
    pictures, weights = picture(16, 12, 2), np.array([[0, 1, 0], [0.3, 0, 0.7]], np.float32)
    for x, w in zip(pictures, weights, strict=True):
        expected = stylised(params, x, np.float64(w), 1, LAST[output])
        np.testing.assert_allclose(run(module, params, x[None], w[None])[0], expected, atol=1e-4)


def test_any_size_is_mirrored_and_cropped():
    module, params = network()
    x, w = picture(13, 10), np.array([[1, 0, 0]], np.float32)
    mirrored = np.pad(x, ((0, 0), (0, 3), (0, 2), (0, 0)), mode="reflect")
    np.testing.assert_array_equal(run(module, params, x, w), run(module, params, mirrored, w)[:, :13, :10])


def test_styles_can_be_vmapped():
    module, params = network()
    x, w = picture(16, 12), np.eye(3, dtype=np.float32)
    each = jax.jit(jax.vmap(lambda w: module.apply({"params": params}, x, w[None])[0]))(w)
    np.testing.assert_allclose(each[2], run(module, params, x, w[2:])[0], atol=1e-5)
    assert np.std(np.asarray(each), 0).mean() > 0.01  # and they differ


def test_gradients_reach_all_parameters_of_the_style_and_are_right():
    module, params = network("tanh")
    module = module.clone(blocks=0)  # which are the slowest to compile
    params = {name: layer for name, layer in params.items() if not name.startswith("residual")}
    x, w = jnp.asarray(picture(16, 12)), jnp.array([[0.5, 0.5, 0.0]])

    def loss(params):
        return jnp.sum(jnp.square(module.apply({"params": params}, x, w) - 0.3))

    grads = jax.jit(jax.grad(loss))(params)
    for name, layer in grads.items():
        assert jnp.any(layer["kernel"] != 0), name
        if "gamma" in layer:
            assert jnp.all(layer["gamma"][2] == 0) and jnp.any(layer["gamma"][0] != 0)
    step = jax.tree.map(lambda leaf: np.float64(normal(5, *leaf.shape)), params)
    slope = sum(np.vdot(a, b) for a, b in zip(jax.tree.leaves(grads), jax.tree.leaves(step), strict=True))

    def reference(size):
        moved = jax.tree.map(lambda p, d: np.float64(p) + size * d, params, step)
        made = stylised(moved, np.float64(x[0]), np.float64(w[0]), 0, LAST["tanh"])
        return np.sum(np.square(made - 0.3))

    np.testing.assert_allclose(slope, (reference(1e-7) - reference(-1e-7)) / 2e-7, rtol=1e-3)


def test_lowers_for_the_machines_users_have():
    module, params = network()
    traced = jax.jit(lambda p, x, w: module.apply({"params": p}, x, w)).trace(
        params, jax.ShapeDtypeStruct((1, 16, 16, 3), jnp.float32), jax.ShapeDtypeStruct((1, 3), jnp.float32)
    )
    for platform in ("cuda", "tpu"):
        assert traced.lower(lowering_platforms=(platform,)).as_text()


def test_bfloat16_computes_nearly_the_same():
    module, params = network()
    x, w = picture(16, 12), np.array([[1, 0, 0]], np.float32)
    rough = run(module.clone(dtype=jnp.bfloat16), params, x, w)
    assert rough.dtype == np.float32
    assert np.abs(rough - run(module, params, x, w)).mean() < 0.05


def test_an_unknown_output():
    with pytest.raises(JaxstyleError, match="unknown output 'sigmod'; did you mean 'sigmoid'"):
        _ = StyleNetwork(output="sigmod").plan


@pytest.mark.realdata
def test_magentas_weights_give_magentas_picture(real_data):
    model = convert(real_data / "faststyle" / "magenta_multistyle_varied")
    photo = read_picture(real_data / "images" / "content" / "tubingen.jpg").rgb
    x = resize(photo, 48, 64)
    weights = np.zeros((2, 32), np.float32)
    weights[0, 22], weights[1, [5, 19]] = 1, (0.4, 0.6)
    made = run(model.network, model.params, np.stack([x, x]), weights)
    for one, w in zip(made, weights, strict=True):
        np.testing.assert_allclose(one, stylised(model.params, x, np.float64(w), 5, sigmoid), atol=1e-4)
    assert np.abs(made[0] - x).mean() > 0.1
