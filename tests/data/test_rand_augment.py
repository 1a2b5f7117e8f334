"""RandAugment's operations against Pillow's, and that each example has its own, as likely as any other."""

import math

import jax
import numpy as np
import pytest
from PIL import Image, ImageEnhance, ImageOps

from jaxstyle.data.rand_augment import OPERATIONS, changed, rand_augment

HEIGHT, WIDTH = 24, 31
PICTURE = np.random.default_rng(3).integers(20, 230, (HEIGHT, WIDTH, 3), np.uint8)
PICTURE[5:20, 8:25] = PICTURE[5:20, 8:25] // 8 + 60  # values that are frequent
run = jax.jit(changed)


def affine(image, a, b, c, d):
    """Pillow's warp by a matrix about the centre."""
    x, y = WIDTH / 2, HEIGHT / 2
    matrix = (a, b, x - a * x - b * y, c, d, y - c * x - d * y)
    return image.transform(image.size, Image.Transform.AFFINE, matrix, Image.Resampling.NEAREST, fillcolor=(128,) * 3)


def moved(image, x, y):
    matrix = (1, 0, x, 0, 1, y)
    return image.transform(image.size, Image.Transform.AFFINE, matrix, Image.Resampling.NEAREST, fillcolor=(128,) * 3)


def turned(image, s):
    angle = s * math.pi / 6
    return affine(image, math.cos(angle), math.sin(angle), -math.sin(angle), math.cos(angle))


PILLOW = {
    "identity": lambda image, s: image,
    "autocontrast": lambda image, s: ImageOps.autocontrast(image),
    "equalize": lambda image, s: ImageOps.equalize(image),
    "posterize": lambda image, s: ImageOps.posterize(image, 8 - round(4 * abs(s))),
    "solarize": lambda image, s: ImageOps.solarize(image, round(256 * (1 - abs(s)))),
    "brightness": lambda image, s: ImageEnhance.Brightness(image).enhance(1 + 0.9 * s),
    "contrast": lambda image, s: ImageEnhance.Contrast(image).enhance(1 + 0.9 * s),
    "color": lambda image, s: ImageEnhance.Color(image).enhance(1 + 0.9 * s),
    "sharpness": lambda image, s: ImageEnhance.Sharpness(image).enhance(1 + 0.9 * s),
    "rotate": turned,
    "shear_x": lambda image, s: affine(image, 1, 0.3 * s, 0, 1),
    "shear_y": lambda image, s: affine(image, 1, 0, 0.3 * s, 1),
    "translate_x": lambda image, s: moved(image, 150 / 331 * WIDTH * s, 0),
    "translate_y": lambda image, s: moved(image, 0, 150 / 331 * HEIGHT * s),
}


@pytest.mark.parametrize("strength", [-0.97, -0.5, 0.25, 0.75])
@pytest.mark.parametrize("name", OPERATIONS)
def test_operations_are_pillows(name, strength):
    seen = np.asarray(run(PICTURE, OPERATIONS.index(name), strength)).astype(int)
    expected = np.asarray(PILLOW[name](Image.fromarray(PICTURE), strength)).astype(int)
    if name.startswith(("rotate", "shear", "translate")):  # Pillow's places have 16 bits behind the point
        assert (seen == expected).all(-1).mean() > 0.98
    else:  # blends are cut off to whole numbers, on either side of one
        assert np.abs(seen - expected).max() <= (1 if name in OPERATIONS[5:9] else 0)
    assert name == "identity" or (seen != PICTURE).mean() > 0.1


def test_pictures_of_one_value_and_other_channels():
    flat = np.full((6, 6, 1), 77, np.uint8)
    for name in ("autocontrast", "equalize", "color", "contrast", "sharpness"):
        assert (run(flat, OPERATIONS.index(name), 0.7) == 77).all()
    assert run(np.zeros((6, 5, 4), np.uint8), 7, 0.5).shape == (6, 5, 4)


@pytest.mark.slow
def test_every_example_has_operations_of_its_own():
    count = 700
    images, keys = np.broadcast_to(PICTURE, (count, *PICTURE.shape)), jax.random.split(jax.random.key(2), count)
    augment = jax.jit(rand_augment, static_argnums=(2, 3))
    once = np.asarray(augment(images, keys, 1, 7.5))
    kinds = {}
    for number, name in enumerate(OPERATIONS):
        for strength in (0.75, -0.75):
            kinds.setdefault(np.asarray(run(PICTURE, number, strength)).tobytes(), name)
    found = [kinds[one.tobytes()] for one in once]
    for name in OPERATIONS:
        assert abs(found.count(name) - 50) < 5 * math.sqrt(50)  # five standard deviations
    np.testing.assert_array_equal(augment(images, keys[::-1], 1, 7.5), once[::-1])
