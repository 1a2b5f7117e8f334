"""Random transforms: against SciPy, with static sizes, moved by the key alone, differentiable."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import tiny
from scipy import ndimage

from jaxstyle.pixels.transforms import Jitter, Pad, Roll, ScaleRotate, affine, compose, robust

PICTURES = np.stack([tiny.picture(seed, 20, 27) for seed in range(2)])
KEYS = [jax.random.key(i) for i in range(6)]


def test_padding_is_grey():
    seen = Pad(3)(PICTURES, KEYS[0])
    assert seen.shape == (2, 26, 33, 3)
    np.testing.assert_array_equal(seen[:, 3:-3, 3:-3], PICTURES)
    assert (np.asarray(seen[:, :3]) == 0.5).all() and (np.asarray(seen[:, :, -3:]) == 0.5).all()


def test_jitter_is_a_crop_at_every_offset():
    found = set()
    for key in (jax.random.key(i) for i in range(60)):
        seen = np.asarray(Jitter(2)(PICTURES, key))
        assert seen.shape == (2, 18, 25, 3)
        offsets = [(y, x) for y in range(3) for x in range(3) if (PICTURES[:, y : y + 18, x : x + 25] == seen).all()]
        found |= set(offsets)
        assert len(offsets) == 1
    assert len(found) == 9


@pytest.mark.parametrize("pixels", [3, None])
def test_a_roll_keeps_every_pixel(pixels):
    seen = np.asarray(Roll(pixels)(PICTURES, KEYS[1]))
    shifts = [
        (y, x) for y in range(-10, 11) for x in range(-13, 14) if (np.roll(PICTURES, (y, x), (1, 2)) == seen).all()
    ]
    assert shifts and (pixels is None or max(map(abs, min(shifts, key=lambda s: abs(s[0]) + abs(s[1])))) <= pixels)


@pytest.mark.parametrize(("scale", "angle"), [(1.0, 0.0), (1.3, 0.0), (0.8, 0.0), (1.0, 0.4), (1.15, -0.2)])
def test_scaling_and_turning_is_scipys(scale, angle):
    """scipy's spline of order one is the same bilinear interpolation, its mode "mirror" the same reflection."""
    cos, sin = np.cos(angle) / scale, np.sin(angle) / scale
    matrix = np.array([[cos, sin], [-sin, cos]])
    centre = np.array([19, 26]) / 2
    seen = affine(PICTURES, scale, angle)
    for picture, moved in zip(PICTURES, np.asarray(seen), strict=True):
        for channel in range(3):
            plane = picture[..., channel].astype(np.float64)
            expected = ndimage.affine_transform(plane, matrix, centre - matrix @ centre, order=1, mode="mirror")
            np.testing.assert_allclose(moved[..., channel], expected, atol=2e-5)  # float32 positions of up to 27


def test_scales_and_angles_stay_in_their_range():
    ramp = np.broadcast_to(np.linspace(0, 1, 41)[None, None, :, None], (1, 41, 41, 1)).astype(np.float32)
    slopes = []
    for i in range(20):
        seen = np.asarray(ScaleRotate(scale=0.2)(ramp, jax.random.key(i)))[0, 20, :, 0]
        slopes.append((seen[22] - seen[18]) * 10)
    assert 1 / 1.2 - 1e-3 <= min(slopes) < 0.95 and 1.05 < max(slopes) <= 1 / 0.8 + 1e-3


def test_a_composition_is_static_and_the_key_decides():
    chosen = robust(4, 6, 0.1, 10.0)
    apply = jax.jit(lambda pictures, key: compose(chosen, pictures, key))
    seen = [np.asarray(apply(PICTURES, key)) for key in KEYS[:3]]
    assert {picture.shape for picture in seen} == {(2, 20 + 8 - 6 - 3, 27 + 8 - 6 - 3, 3)}
    assert np.abs(seen[0] - seen[1]).max() > 0.05
    np.testing.assert_array_equal(apply(PICTURES, KEYS[0]), seen[0])
    assert robust(0, 0, 0.0, 0.0) == () and robust(0, 1, 0.0, 0.0) == (Jitter(1),)


def test_the_gradient_of_a_turn_is_its_transpose():
    """The transform is linear: <T x, y> = <x, Tᵀ y>."""
    rng = np.random.default_rng(0)
    x, y = (rng.standard_normal((1, 12, 14, 2)).astype(np.float32) for _ in range(2))

    def inner(x):
        return jnp.vdot(affine(x, 1.1, 0.3), y)

    slope = jax.grad(inner)(x)
    np.testing.assert_allclose(np.vdot(slope, x), inner(x), rtol=1e-4)
    bump = np.zeros_like(x)
    bump[0, 5, 6, 1] = 1
    np.testing.assert_allclose(slope[0, 5, 6, 1], np.vdot(affine(bump, 1.1, 0.3), y), rtol=1e-4, atol=1e-5)
