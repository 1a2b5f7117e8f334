"""Differentiable augmentation: what each one does to a picture, one by one, and its gradients."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxstyle.errors import JaxstyleError
from jaxstyle.ops import diff_augment as module

diff_augment = jax.jit(module.diff_augment, static_argnums=2)
KEYS = jax.random.split(jax.random.key(5), 40)


def pictures(count=40, height=16, width=12, channels=3):
    return np.random.default_rng(0).uniform(0.1, 1, (count, height, width, channels)).astype(np.float32)


def test_no_policy_is_the_identity():
    np.testing.assert_array_equal(diff_augment(pictures(), KEYS, ()), pictures())


def test_color_is_an_affine_map_of_brightness_saturation_and_contrast():
    images = np.float64(pictures())
    changed = np.asarray(diff_augment(pictures(), KEYS, ("color",)))
    for image, out in zip(images, changed, strict=True):
        brightness = out.mean() - image.mean()  # neither saturation nor contrast moves the mean
        assert -0.5 - 1e-4 <= brightness <= 0.5 + 1e-4
        luminance, new_luminance = image.mean(-1) - image.mean(), out.mean(-1) - out.mean()
        contrast = np.vdot(luminance, new_luminance) / np.vdot(luminance, luminance)
        np.testing.assert_allclose(new_luminance, contrast * luminance, atol=1e-4)
        assert 0.5 - 1e-3 <= contrast <= 1.5 + 1e-3
        chroma, new_chroma = image - image.mean(-1, keepdims=True), out - out.mean(-1, keepdims=True)
        saturation = np.vdot(chroma, new_chroma) / np.vdot(chroma, chroma) / contrast
        np.testing.assert_allclose(new_chroma, contrast * saturation * chroma, atol=1e-4)
        assert -1e-3 <= saturation <= 2 + 1e-3
    assert np.std(changed.mean((1, 2, 3)) - images.mean((1, 2, 3))) > 0.1  # pictures differ


def shifted(image, down, across):
    out = np.zeros_like(image)
    height, width = image.shape[:2]
    to_rows, to_columns = (slice(max(0, s), n + min(0, s)) for s, n in ((down, height), (across, width)))
    from_rows, from_columns = (slice(max(0, -s), n + min(0, -s)) for s, n in ((down, height), (across, width)))
    out[to_rows, to_columns] = image[from_rows, from_columns]
    return out


def test_translation_moves_by_whole_pixels_and_leaves_zeros():
    found_moves = set()
    moves = [(down, across) for down in range(-3, 4) for across in range(-3, 4)]
    for image, out in zip(pictures(), np.asarray(diff_augment(pictures(), KEYS, ("translation",))), strict=True):
        found = [move for move in moves if np.allclose(out, shifted(image, *move), atol=1e-6)]
        assert len(found) == 1
        found_moves.update(found)
    assert {down for down, _ in found_moves} == {-2, -1, 0, 1, 2}  # an eighth of 16
    assert {across for _, across in found_moves} == {-2, -1, 0, 1, 2}  # an eighth of 12, rounded


def test_cutout_removes_a_rectangle_of_half_the_sides_at_most():
    images = pictures()
    areas = []
    for image, out in zip(images, np.asarray(diff_augment(images, KEYS, ("cutout",))), strict=True):
        gone = out[..., 0] == 0
        rows, columns = gone.any(1), gone.any(0)
        np.testing.assert_array_equal(gone, rows[:, None] & columns[None])
        np.testing.assert_array_equal(out[~gone], image[~gone])
        assert rows.sum() <= 8 and columns.sum() <= 6
        areas.append(gone.sum())
    assert max(areas) == 48 and min(areas) < 30  # whole, and cut by the border


def test_a_picture_is_changed_by_its_own_key_alone():
    images, policy = pictures(), ("color", "translation", "cutout")
    whole = diff_augment(images, KEYS, policy)
    np.testing.assert_allclose(whole[7:9], diff_augment(images[7:9], KEYS[7:9], policy), atol=1e-6)
    assert whole.shape == images.shape and whole.dtype == images.dtype


@pytest.mark.parametrize("name", module.AUGMENTATIONS)
def test_gradients_equal_finite_differences(name):
    """Each is linear in the picture, so a difference over a long step has no error but rounding."""
    images, keys = pictures(2, 8, 8), KEYS[:2]
    weights = np.random.default_rng(1).standard_normal(images.shape).astype(np.float32)

    @jax.jit
    def loss(images):
        return jnp.vdot(weights, diff_augment(images, keys, (name,)))

    gradient = jax.grad(loss)(images)
    for seed in range(3):
        way = np.random.default_rng(seed).standard_normal(images.shape).astype(np.float32)
        np.testing.assert_allclose(np.vdot(gradient, way), loss(images + way) - loss(images), rtol=1e-3, atol=1e-3)


def test_bfloat16_stays_bfloat16():
    images = jnp.ones((2, 8, 8, 3), jnp.bfloat16)
    assert diff_augment(images, KEYS[:2], tuple(module.AUGMENTATIONS)).dtype == jnp.bfloat16


def test_an_unknown_name_is_refused():
    with pytest.raises(JaxstyleError, match="unknown augmentation 'colour'; did you mean 'color'"):
        diff_augment(pictures(), KEYS, ("colour",))
