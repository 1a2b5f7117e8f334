"""Random views: their range and variety, and that nothing of a picture is never or always seen."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from jaxstyle.data import views

PICTURE = jnp.asarray(np.random.default_rng(0).random((40, 40, 3), np.float32))
SIZE = 24
VIEW = jax.jit(lambda key: views.random_view(key, PICTURE, SIZE))
CROP = jax.jit(lambda key, picture: views.random_crop(key, picture, SIZE))


@settings(max_examples=40, deadline=None)
@given(st.integers(0, 2**31 - 1))
def test_a_view_is_a_picture_in_range_and_a_function_of_its_key(seed):
    view = np.asarray(VIEW(jax.random.key(seed)))
    assert view.shape == (SIZE, SIZE, 3) and view.dtype == np.float32
    assert np.isfinite(view).all() and view.min() >= -1e-6 and view.max() <= 1 + 1e-6
    np.testing.assert_array_equal(view, VIEW(jax.random.key(seed)))


@pytest.mark.slow
def test_views_are_of_photos_more_often_than_of_textures():
    """A picture of one colour outside [0, 1] never leaves its photo's part, so shares can be counted."""
    grey = jnp.full((32, 32, 3), 0.5)
    seen = jax.jit(jax.vmap(lambda key: views.random_view(key, grey, SIZE)))(jax.random.split(jax.random.key(0), 300))
    flat = np.std(np.asarray(seen), axis=(1, 2)).max(-1) < 1e-3
    assert 0.5 < flat.mean() < 0.72  # 0.6 of 300 draws, at most 4 standard deviations away


def test_a_crop_shows_every_place_at_several_scales_and_both_ways_round():
    """In a ramp from left to right the slope of a crop tells its side, its first column its place."""
    ramp = jnp.broadcast_to(jnp.linspace(0.0, 1.0, 64).reshape(1, 64, 1), (64, 64, 3))
    keys = jax.random.split(jax.random.key(1), 400)
    crops = np.asarray(jax.jit(jax.vmap(lambda key: views.random_crop(key, ramp, SIZE)))(keys))
    grey = crops.mean(axis=(1, 3))
    slopes = (grey[:, -3] - grey[:, 2]) / (SIZE - 5) * SIZE
    assert (slopes > 0).mean() > 0.35 and (slopes < 0).mean() > 0.35  # mirrored or not
    plain = np.ptp(crops, axis=3).max((1, 2)) < 1e-3  # crops whose colours were left alone
    assert 0.4 < plain.mean() < 0.75
    sides = np.abs(slopes[plain])
    assert sides.min() < 0.4 and sides.max() > 0.9
    assert grey[plain].min() < 0.02 and grey[plain].max() > 0.98


def test_a_crop_of_the_whole_picture_is_the_picture(monkeypatch):
    monkeypatch.setattr(views, "log_uniform", lambda key, low, high: jnp.float32(1.0))
    monkeypatch.setattr(views, "random_colors", lambda key, picture: picture)
    picture = PICTURE[:SIZE, :SIZE]
    crop = np.asarray(views.random_crop(jax.random.key(3), picture, SIZE))
    mirrored = np.asarray(picture)[:, ::-1]
    assert min(np.abs(crop - picture).max(), np.abs(crop - mirrored).max()) < 1e-5


def test_textures_differ_in_everything():
    textures = jax.jit(jax.vmap(lambda key: views.random_texture(key, SIZE)))(jax.random.split(jax.random.key(2), 64))
    textures = np.asarray(textures)
    assert textures.min() >= 0 and textures.max() <= 1
    means, spreads = textures.mean((1, 2)), textures.std((1, 2)).mean(-1)
    assert means.std(0).min() > 0.1 and np.ptp(spreads) > 0.2


def test_smooth_noise_has_unit_size_and_grows_smoother_with_its_pitch(monkeypatch):
    steps = []
    for pitch in (4.0, 12.0):
        monkeypatch.setattr(views, "log_uniform", lambda key, low, high, pitch=pitch: jnp.float32(pitch))
        keys = jax.random.split(jax.random.key(0), 100)
        noise = np.asarray(jax.vmap(lambda key: views.smooth_noise(key, SIZE, 1))(keys))
        assert 0.7 < noise.std() < 1.1  # cubic interpolation between grid points takes away some variance
        steps.append(np.abs(np.diff(noise, axis=1)).mean())
    assert steps[1] < steps[0] / 2
