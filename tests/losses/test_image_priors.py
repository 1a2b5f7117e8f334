"""Total variation against loops over pixels in float64."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import reference
from hypothesis import given, settings
from hypothesis import strategies as st

from jaxstyle.losses import total_variation, total_variation_l1

PRIORS = {
    "nine-point": (jax.jit(total_variation), reference.total_variation),
    "periodic": (jax.jit(functools.partial(total_variation, periodic=True)), reference.periodic_total_variation),
    "l1": (jax.jit(total_variation_l1), reference.total_variation_l1),
}
every_prior = pytest.mark.parametrize("name", PRIORS)
few = settings(derandomize=True, deadline=None, max_examples=10)
# A handful of shapes, as each is compiled anew.
pictures = st.sampled_from([(4, 4, 3), (1, 5, 3), (5, 2, 1), (1, 1, 3)]), st.integers(0, 2**32 - 1)


def picture(seed, *shape):
    return np.random.default_rng(seed).uniform(size=shape).astype(np.float32)


@every_prior
@pytest.mark.parametrize("shape", [(5, 6, 3), (1, 7, 3), (7, 1, 3), (2, 2, 1)])
def test_value_and_gradient_equal_the_reference(name, shape):
    prior, expected = PRIORS[name]
    image = picture(1, *shape)
    value, gradient = jax.value_and_grad(prior)(jnp.asarray(image))
    np.testing.assert_allclose(value, expected(image), rtol=1e-5)  # float32 rounding
    reference.assert_near(gradient, reference.gradient(expected, image, 1e-6), 1e-5)


@every_prior
@few
@given(*pictures)
def test_value_equals_the_reference_for_any_shape(name, shape, seed):
    prior, expected = PRIORS[name]
    image = picture(seed, *shape)
    np.testing.assert_allclose(prior(image), expected(image), rtol=1e-5, atol=1e-9)


@every_prior
@few
@given(*pictures)
def test_it_is_the_same_for_a_mirrored_and_a_turned_picture(name, shape, seed):
    prior, image = PRIORS[name][0], picture(seed, *shape)
    for turned in (image[::-1], image[:, ::-1], image.transpose(1, 0, 2)):
        np.testing.assert_allclose(prior(turned), prior(image), rtol=1e-5)


@every_prior
@pytest.mark.parametrize("shape", [(4, 5, 3), (1, 1, 3)])
def test_a_flat_picture_has_none_and_a_finite_gradient(name, shape):
    value, gradient = jax.value_and_grad(PRIORS[name][0])(jnp.full(shape, 0.3))
    assert value == 0
    np.testing.assert_array_equal(gradient, np.zeros(shape))


@every_prior
def test_leading_axes_are_a_loop(name):
    prior, expected = PRIORS[name]
    images = picture(2, 2, 3, 4, 5, 3)
    batched = prior(images)
    assert batched.shape == (2, 3)
    for i, j in np.ndindex(2, 3):
        np.testing.assert_allclose(batched[i, j], expected(images[i, j]), rtol=1e-5)


def test_a_periodic_picture_has_no_edge():
    image = picture(4, 6, 9, 3)
    rolled = total_variation(np.roll(image, (2, 5), (0, 1)), periodic=True)
    np.testing.assert_allclose(rolled, total_variation(image, periodic=True), rtol=1e-6)
    # Of many copies side by side the plain one sees nearly the same: 1/40 of what it sees is frame.
    np.testing.assert_allclose(total_variation(np.tile(image, (40, 40, 1))), rolled, rtol=0.03)


def test_a_ramp_has_the_variation_that_one_works_out_by_hand():
    # Across by 1 in 3 of 4 columns: 2/3 · 3/4; both diagonals by 1 in 3 of 5 corner columns: 2/6 · 3/5.
    ramp = jnp.broadcast_to(jnp.arange(4.0)[None, :, None], (6, 4, 1))
    np.testing.assert_allclose(total_variation(ramp), 2 / 3 * 3 / 4 + 2 / 6 * 3 / 5, rtol=1e-6)
    np.testing.assert_allclose(total_variation_l1(2 * ramp), 2, rtol=1e-6)


def test_a_checkerboard_has_variation_although_its_diagonals_are_flat():
    board = jnp.asarray(np.indices((6, 6)).sum(0) % 2, jnp.float32)[..., None]
    assert total_variation(board) > total_variation(jnp.roll(board, 1, 0) * 0.5)
    assert total_variation(board) > 1


@pytest.mark.parity
def test_nine_point_is_crowsonkbs():
    torch = pytest.importorskip("torch", reason="PyTorch is not installed: pip install 'jaxstyle[parity]'")
    image = picture(3, 7, 9, 3)
    x = torch.tensor(image.transpose(2, 0, 1)[None], dtype=torch.float64, requires_grad=True)
    padded = torch.nn.functional.pad(x, (1, 1, 1, 1), "replicate")
    inner, after, first, last = slice(1, -1), slice(2, None), slice(None, -1), slice(1, None)
    across = (padded[..., inner, after] - padded[..., inner, inner]).pow(2).mean() / 3
    down = (padded[..., after, inner] - padded[..., inner, inner]).pow(2).mean() / 3
    falling = (padded[..., last, last] - padded[..., first, first]).pow(2).mean() / 12
    rising = (padded[..., last, first] - padded[..., first, last]).pow(2).mean() / 12
    loss = 2 * (across + down + falling + rising)
    loss.backward()
    value, gradient = jax.value_and_grad(total_variation)(jnp.asarray(image))
    np.testing.assert_allclose(value, loss.item(), rtol=1e-5)
    reference.assert_near(gradient, x.grad[0].numpy().transpose(1, 2, 0), 1e-5)
