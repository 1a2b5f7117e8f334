"""Adaptive augmentation: its matrices in NumPy, pictures turned by NumPy's own hands, shares of pictures, gradients."""

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from jaxstyle.ops import adaptive_augment as module

RNG = np.random.default_rng(0)
augment = jax.jit(module.adaptive_augment)
KEYS = jax.random.split(jax.random.key(3), 256)
IDENTITY = module.Geometry(1.0, 0.0, np.zeros(2), 1.0, 0.0, 1.0, 0.0, np.zeros(2))
SAME = module.Color(0.0, 1.0, 0.0, 0.0, 1.0)


def pictures(count=4, height=6, width=6, channels=3):
    return np.random.default_rng(1).uniform(-1, 1, (count, height, width, channels)).astype(np.float32)


def test_the_matrix_of_places_is_that_of_the_maps_one_after_the_other():
    for _ in range(20):
        maps = module.Geometry(
            RNG.choice([-1.0, 1.0]),
            float(RNG.integers(4)),
            RNG.integers(-3, 4, 2).astype(float),
            *RNG.uniform(0.5, 2, 1),
            *RNG.uniform(-3, 3, 1),
            *RNG.uniform(0.5, 2, 1),
            *RNG.uniform(-3, 3, 1),
            RNG.uniform(-3, 3, 2),
        )
        point = RNG.uniform(-5, 5, 2)  # (x, y), as y points down a positive angle turns clockwise
        place = point * [maps.mirror, 1]
        for step in ("turn", "shift", "scale", "first", "stretch", "second", "slide"):
            value = getattr(maps, step)
            if step in ("turn", "first", "second"):
                angle = value * np.pi / 2 if step == "turn" else value
                cosine, sine = np.cos(angle), np.sin(angle)
                place = np.array([cosine * place[0] - sine * place[1], sine * place[0] + cosine * place[1]])
            elif step in ("shift", "slide"):
                place = place + value
            else:
                place = place * ([value, value] if step == "scale" else [value, 1 / value])
        back = np.asarray(module.geometric_matrix(maps), np.float64) @ [*place, 1]
        np.testing.assert_allclose(back, [*point, 1], atol=1e-4)  # float32, places of up to 100


def test_the_matrix_of_colors_is_that_of_the_maps_one_after_the_other():
    axis = np.ones(3) / np.sqrt(3)
    for _ in range(20):
        maps = module.Color(
            *RNG.normal(0, 0.5, 1), *RNG.uniform(0.5, 2, 1), float(RNG.integers(2)), *RNG.uniform(-3, 3, 2)
        )
        rgb = RNG.uniform(-1, 1, 3)
        color = (rgb + maps.brightness) * maps.contrast
        color = color - 2 * maps.flip * axis * (axis @ color)
        cosine, sine = np.cos(maps.hue), np.sin(maps.hue)  # Rodrigues' formula
        color = cosine * color + sine * np.cross(axis, color) + (1 - cosine) * axis * (axis @ color)
        grey = axis * (axis @ color)
        color = grey + maps.saturation * (color - grey)
        np.testing.assert_allclose(np.asarray(module.color_matrix(maps), np.float64) @ [*rgb, 1], color, atol=1e-5)


@pytest.mark.parametrize(
    ("changes", "by_hand"),
    [
        ({}, lambda image: image),
        ({"mirror": -1.0}, lambda image: image[:, ::-1]),
        ({"turn": 1.0}, lambda image: np.rot90(image, -1)),  # clockwise
        ({"shift": np.array([2.0, -1.0])}, lambda image: np.pad(image, ((0, 1), (2, 0), (0, 0)), "symmetric")[1:, :6]),
        (
            {"slide": np.array([0.5, 0.0])},
            lambda image: (image + np.pad(image, ((0, 0), (1, 0), (0, 0)), "symmetric")[:, :6]) / 2,
        ),
    ],
)
def test_pictures_are_moved_as_by_hand_and_mirrored_at_their_border(changes, by_hand):
    image = pictures(1)[0]
    moved = module.sampled(image, module.geometric_matrix(IDENTITY._replace(**changes)))
    np.testing.assert_allclose(moved, by_hand(image), atol=1e-5)


def test_probabilities_are_those_of_the_maps():
    draw = jax.jit(jax.vmap(lambda key, p: module.drawn(key, p, (64, 64)), (0, None)))
    for p in (0.0, 0.5):
        geometry, color = draw(KEYS, np.float32(p))
        changed = {"mirror": geometry.mirror < 0, "scale": geometry.scale != 1, "slide": geometry.slide[:, 0] != 0}
        changed |= {"hue": color.hue != 0, "contrast": color.contrast != 1}
        changed["rotation"] = (geometry.first != 0) | (geometry.second != 0)
        for name, values in changed.items():
            wanted = p / 2 if name == "mirror" else p
            assert abs(np.mean(values) - wanted) <= 4 * np.sqrt(wanted * (1 - wanted) / 256), name
    assert np.abs(geometry.shift).max() <= 8 and np.all(geometry.shift == np.round(geometry.shift))


@pytest.mark.slow
@pytest.mark.parametrize("channels", [1, 3])
def test_it_is_of_each_picture_by_itself_and_its_gradient_is_its_transpose(channels):
    images, ones = pictures(4, 6, 8, channels), np.ones(4, np.float32)
    np.testing.assert_allclose(augment(images, KEYS[:4], 0 * ones), images, atol=1e-5)
    made = augment(images, KEYS[:4], ones)
    np.testing.assert_allclose(augment(images[2:], KEYS[2:4], ones[2:]), made[2:], atol=1e-6)
    assert all(np.abs(made[i] - images[i]).max() > 0.05 for i in range(4))
    other, weights = pictures(4, 6, 8, channels)[::-1], RNG.standard_normal(images.shape).astype(np.float32)

    def score(images):
        return jnp.vdot(weights, augment(images, KEYS[:4], ones))

    slope = jax.jit(jax.grad(score))(images)
    np.testing.assert_allclose(score(other) - score(images), np.vdot(slope, other - images), atol=1e-3)  # it is affine
    second = jax.jit(jax.grad(lambda images: jnp.sum(jnp.square(jax.grad(lambda x: jnp.sum(score(x) ** 2))(images)))))
    assert np.all(np.isfinite(second(images)))


def test_the_probability_follows_the_sign_of_real_logits():
    state = {"p": jnp.float32(0), "sign": jnp.float32(0)}
    for _ in range(20):
        state = module.adapted(state, jnp.float32(1), 0.6, 0.125)
    assert state["p"] == 1  # overfitted; it takes three steps until the mean is above .6
    assert module.adapted({"p": jnp.float32(0.5), "sign": jnp.float32(0.6)}, jnp.float32(0), 0.6, 0.25)["p"] == 0.25
