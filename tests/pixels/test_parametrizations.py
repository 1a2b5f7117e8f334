"""Parametrisations: what goes in comes out, whatever the basis; sizes; independence of the leading axes."""

import functools
import itertools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import tiny
from hypothesis import given, settings
from hypothesis import strategies as st

from jaxstyle.media.image_resizing import resize
from jaxstyle.ops import pyramid
from jaxstyle.pixels.parametrizations import BY_NAME, shared_base
from jaxstyle.pixels.parametrizations.bounded import CORRELATED, MARGIN, from_rgb, to_rgb
from jaxstyle.pixels.parametrizations.fourier import amplitudes, hartley
from jaxstyle.pixels.parametrizations.generators import least_squares

EXACT = ("pixels", "sigmoid", "pyramid", "fourier")
GENERATORS = ("deep-image-prior", "cppn")
PICTURE = resize(np.random.default_rng(1).uniform(0.2, 0.8, (5, 6, 3)), 18, 25)  # smooth


@functools.cache
def programs(name):
    chosen = shared_base() if name == "shared" else BY_NAME[name](0)
    return chosen, jax.jit(chosen.encode), jax.jit(chosen.decode)


@pytest.mark.parametrize("name", EXACT)
def test_a_picture_comes_back(name):
    _, encode, decode = programs(name)
    inside = np.clip(PICTURE, MARGIN, 1 - MARGIN)
    # A logit of 6 (the margin's) has a rounding of 5e-7, which the transforms multiply by a few.
    np.testing.assert_allclose(decode(encode(PICTURE)), inside if name != "pixels" else PICTURE, atol=2e-6)


@pytest.mark.parametrize("name", EXACT)
def test_groups_are_pictures_side_by_side(name):
    chosen, encode, _ = programs(name)
    group = np.stack([PICTURE, tiny.picture(2, 18, 25)])
    alone = [encode(picture) for picture in group]
    together = jax.jit(chosen.encode)(group)
    for i in range(2):
        picked = jax.tree.map(lambda leaf, i=i: leaf[i], together)
        jax.tree.map(functools.partial(np.testing.assert_allclose, rtol=1e-5, atol=1e-5), picked, alone[i])


@pytest.mark.parametrize("name", [*EXACT, *GENERATORS])
def test_another_size_is_the_same_picture(name):
    chosen, encode, decode = programs(name)
    params = encode(PICTURE)
    larger = np.asarray(jax.jit(lambda params: chosen.decode(chosen.resize(params, 27, 38)))(params))
    assert larger.shape == (27, 38, 3)
    wanted = np.asarray(jax.image.resize(decode(params), (27, 38, 3), "cubic"))
    # Between logits and colours a cubic curve differs a little; a network's last layer is fitted anew.
    assert np.abs(larger - wanted).mean() < {"deep-image-prior": 0.06, "cppn": 0.02}.get(name, 0.01)


@pytest.mark.parametrize("name", ["sigmoid", "pyramid", "fourier", *GENERATORS])
def test_no_step_leaves_the_colours(name):
    chosen, encode, decode = programs(name)
    wild = jax.tree.map(lambda leaf: leaf + 50.0, encode(PICTURE))
    seen = np.asarray(decode(chosen.project(wild)))
    assert np.isfinite(seen).all() and seen.min() >= 0 and seen.max() <= 1


def test_colours_are_mixed_by_the_matrix_and_back():
    mixed = np.asarray(to_rgb(jnp.asarray(PICTURE), CORRELATED), np.float64)
    expected = 1 / (1 + np.exp(-(PICTURE.astype(np.float64) @ CORRELATED.T)))
    np.testing.assert_allclose(mixed, expected, atol=1e-6)
    np.testing.assert_allclose(from_rgb(jnp.asarray(mixed, jnp.float32), CORRELATED), PICTURE, atol=2e-4)
    assert np.isclose(np.linalg.norm(CORRELATED, axis=0).max(), 1)


@settings(max_examples=12, deadline=None)
@given(height=st.integers(1, 9), width=st.integers(1, 9))
def test_the_hartley_transform_is_orthonormal_and_its_own_inverse(height, width):
    rows, columns = np.arange(height), np.arange(width)
    angle = np.multiply.outer(rows, rows)[:, None, :, None] / height
    angle = angle + np.multiply.outer(columns, columns)[None, :, None, :] / width
    basis = np.cos(2 * np.pi * angle) + np.sin(2 * np.pi * angle)  # cas, Bracewell 1983 eq. 2 in two dimensions
    picture = np.random.default_rng(height * 10 + width).standard_normal((height, width, 2)).astype(np.float32)
    expected = np.einsum("uvhw,hwc->uvc", basis, picture) / np.sqrt(height * width)
    np.testing.assert_allclose(hartley(picture), expected, atol=1e-5)
    np.testing.assert_allclose(hartley(hartley(picture)), picture, atol=1e-5)


def test_frequencies_are_scaled_by_one_over_f():
    scales = amplitudes(16, 24)[..., 0]
    np.testing.assert_allclose(scales[0, 1] / scales[0, 2], 2)
    np.testing.assert_allclose(scales[0, 0], scales[0, 1])  # the constant part counts as the lowest frequency
    np.testing.assert_allclose(scales[3, 4] * 4, 1 / np.hypot(3 / 16, 4 / 24), rtol=1e-6)


@pytest.mark.parametrize("shape", [(16, 16), (17, 33), (40, 9), (3, 5)])
def test_a_pyramid_is_put_together_again(shape):
    picture = tiny.picture(3, *shape)
    bands = pyramid.split(jnp.asarray(picture), 4)
    assert bands[0].shape == picture.shape and len(bands) <= 4
    for fine, coarse in itertools.pairwise(bands):
        assert coarse.shape[:2] == tuple(-(-side // 2) for side in fine.shape[:2])
    np.testing.assert_allclose(pyramid.merge(bands), picture, atol=1e-6)


def test_a_blur_is_a_gaussian():
    from scipy.ndimage import gaussian_filter

    picture = tiny.picture(3, 20, 23)
    expected = gaussian_filter(picture.astype(np.float64), (1.5, 1.5, 0), mode="nearest", radius=(4, 4, 0))
    np.testing.assert_allclose(pyramid.blur(jnp.asarray(picture), 1.5), expected, atol=1e-6)
    assert pyramid.blur(picture, 0) is picture


def test_a_shared_base_moves_all_pictures_of_a_group():
    chosen, encode, decode = programs("shared")
    group = np.stack([tiny.picture(seed, 16, 24) for seed in range(3)])
    params = encode(group)
    assert params["base"].shape == (2, 3, 3)
    np.testing.assert_allclose(decode(params), np.clip(group, MARGIN, 1 - MARGIN), atol=5e-6)
    moved = decode({**params, "base": params["base"].at[0, 0].add(3.0)})
    change = np.abs(np.asarray(moved - decode(params))).mean((1, 3))
    assert (change[:, :3] > 0.01).all() and (change[:, 21:] < 1e-6).all()  # a cubic reaches two and a half cells
    assert jax.eval_shape(lambda params: chosen.resize(params, 32, 40), params)["own"].shape == (3, 32, 40, 3)


@pytest.mark.parametrize("name", [pytest.param("deep-image-prior", marks=pytest.mark.slow), "cppn"])
def test_a_network_draws_the_pictures_large_shapes_at_once(name):
    _, encode, decode = programs(name)
    drawn, seen = encode(PICTURE), np.asarray(decode(encode(PICTURE)))
    flat = np.abs(PICTURE - PICTURE.mean((0, 1))).mean()
    assert np.abs(seen - PICTURE).mean() < 0.9 * flat
    gradient = jax.grad(lambda params: jnp.sum(jnp.square(BY_NAME[name](0).decode(params))))(drawn)
    assert not np.any(gradient["inputs"]) and np.any(gradient["head"])
    assert all(np.isfinite(leaf).all() for leaf in jax.tree.leaves(gradient))


def test_least_squares_is_numpys():
    rng = np.random.default_rng(0)
    x, y = rng.standard_normal((6, 7, 4)), rng.standard_normal((6, 7, 3))
    design = np.concatenate([x.reshape(-1, 4), np.ones((42, 1))], 1)
    expected, *_ = np.linalg.lstsq(design, y.reshape(-1, 3), rcond=None)
    # The ridge is 1e-4 of the features' mean square, which moves the solution by about as much.
    np.testing.assert_allclose(least_squares(jnp.float32(x), jnp.float32(y)), expected, atol=1e-3)


@pytest.mark.parametrize("name", BY_NAME)
def test_all_lower_for_every_platform(name):
    chosen = BY_NAME[name](0)
    params = jax.eval_shape(chosen.encode, jnp.zeros((16, 20, 3)))
    step = jax.grad(lambda params: jnp.sum(chosen.decode(chosen.project(params))))
    for function, argument in ((chosen.encode, jnp.zeros((16, 20, 3))), (step, params)):
        traced = jax.jit(function).trace(argument)
        for platform in ("cpu", "cuda", "tpu"):
            traced.lower(lowering_platforms=(platform,))
