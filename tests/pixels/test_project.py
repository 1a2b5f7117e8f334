"""Projection: the latents of a linear generator's pictures are found again; its parametrisation at any size."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import tiny

from jaxstyle.media.image_decoding import Picture
from jaxstyle.media.image_resizing import resize
from jaxstyle.pixels import project
from jaxstyle.pixels.job import Inputs
from jaxstyle.pixels.loop import optimize
from jaxstyle.pixels.parametrizations import latents

BASIS = np.stack([resize(tiny.picture(seed, 4, 5), 16, 20) - 0.5 for seed in range(3)])
CANDIDATES = np.random.default_rng(0).standard_normal((8, 3)).astype(np.float32)


def draw(values):
    return 0.5 + 0.2 * jnp.einsum("nk,khwc->nhwc", values, BASIS)


GENERATOR = latents(draw, CANDIDATES, lambda values: jnp.clip(values, -2, 2))


def test_a_picture_is_encoded_by_the_nearest_candidate_and_drawn_at_any_size():
    for wanted in (2, 5):
        photo = resize(np.asarray(draw(CANDIDATES))[wanted], 32, 40)
        params = jax.jit(GENERATOR.encode)(photo)
        np.testing.assert_array_equal(params["latents"], CANDIDATES[wanted])
        np.testing.assert_allclose(jax.jit(GENERATOR.decode)(params), photo, atol=1e-5)
        larger = GENERATOR.decode(GENERATOR.resize(params, 48, 60))
        np.testing.assert_allclose(larger, jax.image.resize(draw(CANDIDATES)[wanted], (48, 60, 3), "cubic"), atol=1e-5)
    assert GENERATOR.project({**params, "latents": jnp.array([3.0, -5, 1])})["latents"].tolist() == [2, -2, 1]


@pytest.mark.slow
def test_latents_are_found_again():
    hidden = np.array([[0.7, -0.4, 1.1], [-1.2, 0.3, 0.5]], np.float32)
    photos = [Picture(np.asarray(photo), None) for photo in draw(hidden)]
    config = project.ProjectionConfig(layers=("relu1_1", "relu2_1"), iterations=200)
    problem = project.prepare(
        config, tiny.features(), Inputs(contents=photos), generator=GENERATOR, shape=BASIS.shape[1:3]
    )
    outcome = optimize(problem, jax.devices()[:1])
    found = np.stack([outcome.params(number)["latents"] for number in range(2)])
    np.testing.assert_allclose(found, hidden, atol=0.05)  # Adam's steps of 0.05 end within one
    np.testing.assert_allclose(outcome.pictures, problem.start, atol=0.02)
