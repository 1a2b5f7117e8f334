"""Random crops and mirrorings, picture by picture."""

import jax
import numpy as np
import pytest

from jaxstyle.data.augment import augment, mixup


def changed(count=200, **options):
    """Numbered pixels `[N, 4, 5, 2]`, all pictures the same, and what becomes of them."""
    image = (np.arange(40, dtype=np.uint8) + 1).reshape(4, 5, 2)
    images = np.broadcast_to(image, (count, 4, 5, 2))
    keys = jax.random.split(jax.random.key(0), count)
    return image, np.asarray(augment(images, keys, **options)), keys


def crops(image, pad):
    """Every crop that there is, row by row."""
    padded = np.pad(image, ((pad, pad), (pad, pad), (0, 0)))
    return [padded[i : i + 4, j : j + 5] for i in range(2 * pad + 1) for j in range(2 * pad + 1)]


@pytest.mark.parametrize("flip", [False, True])
def test_every_crop_is_taken_about_as_often_as_any_other(flip):
    image, seen, _ = changed(1000, pad=1, flip=flip)
    assert seen.dtype == np.uint8
    possible = crops(image, 1) + ([crop[:, ::-1] for crop in crops(image, 1)] if flip else [])
    found = [sum(np.array_equal(one, crop) for one in seen) for crop in possible]
    assert sum(found) == 1000
    mean = 1000 / len(possible)
    assert np.all(np.abs(np.array(found) - mean) < 5 * np.sqrt(mean))  # five standard deviations


def test_a_picture_is_a_function_of_its_key():
    image, seen, keys = changed(6, pad=2, flip=True)
    alone = [augment(image[None], keys[i : i + 1], pad=2, flip=True)[0] for i in range(6)]
    np.testing.assert_array_equal(seen, np.stack(alone))


def test_nothing_is_changed_unless_asked_for():
    image, seen, _ = changed(3)
    np.testing.assert_array_equal(seen, np.stack([image] * 3))


@pytest.mark.parametrize("devices", [1, 4])
def test_mixup_blends_each_picture_with_the_next_of_the_global_batch(devices):
    rng = np.random.default_rng(0)
    images, targets = rng.uniform(size=(8, 2, 3, 1)).astype(np.float32), np.eye(8, dtype=np.float32)
    keys = jax.random.split(jax.random.key(1), 8)
    step = jax.pmap(lambda *own: mixup(*own, 0.5, "batch"), "batch", devices=jax.devices()[:devices])
    split = [leaf.reshape(devices, 8 // devices, *leaf.shape[1:]) for leaf in (images, targets, keys)]
    blended, shares = (np.asarray(leaf).reshape(8, *leaf.shape[2:]) for leaf in step(*split))
    own = np.diagonal(shares)  # λ, since the targets are those of eight classes
    np.testing.assert_allclose(shares, np.diag(own) + np.roll(np.diag(1 - own), 1, 1), atol=1e-6)
    assert len(set(own)) == 8 and own.min() >= 0 and own.max() <= 1
    np.testing.assert_array_equal(own, jax.vmap(lambda key: jax.random.beta(key, 0.5, 0.5))(keys))
    wide = own.reshape(8, 1, 1, 1)
    np.testing.assert_allclose(blended, wide * images + (1 - wide) * np.roll(images, -1, 0), atol=1e-6)
