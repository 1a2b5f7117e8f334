"""Random crops and mirrorings, picture by picture."""

import jax
import numpy as np
import pytest

from jaxstyle.data import augment as module
from jaxstyle.data.augment import cutmix, erase, mixup, shift_tones

OPTIONS = ("pad", "crop", "flip", "turn")
augment, augment_with_masks, augment_clips = (
    jax.jit(function, static_argnames=OPTIONS)
    for function in (module.augment, module.augment_with_masks, module.augment_clips)
)


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


def pairs(count=400, height=4, width=4, **options):
    """Numbered pixels, their numbers as masks too, and what becomes of both."""
    mask = np.arange(height * width, dtype=np.uint8).reshape(height, width)
    keys = jax.random.split(jax.random.key(1), count)
    images, masks = (np.broadcast_to(x, (count, *x.shape)) for x in (mask[..., None], mask))
    return mask, *map(np.asarray, augment_with_masks(images, masks, keys, **options)), keys


def places(mask, crop):
    """Every square that can be cut out."""
    height, width = mask.shape
    return [mask[i : i + crop, j : j + crop] for i in range(height - crop + 1) for j in range(width - crop + 1)]


@pytest.mark.parametrize(
    ("options", "possible"),
    [
        ({"crop": 3}, lambda mask: places(mask, 3)),
        ({"turn": True}, lambda mask: [np.rot90(mask, k) for k in range(4)]),
        ({"flip": True, "turn": True}, lambda mask: [np.rot90(m, k) for m in (mask, mask[:, ::-1]) for k in range(4)]),
        ({"crop": 2, "flip": True}, lambda mask: [x for part in places(mask, 2) for x in (part, part[:, ::-1])]),
    ],
)
def test_masks_are_changed_as_their_pictures_and_every_change_is_about_as_frequent(options, possible):
    mask, images, masks, _ = pairs(**options)
    np.testing.assert_array_equal(images[..., 0], masks)
    assert images.dtype == masks.dtype == np.uint8
    wanted = possible(mask)
    found = np.array([sum(np.array_equal(one, other) for one in masks) for other in wanted])
    assert found.sum() == len(masks)
    mean = len(masks) / len(wanted)
    assert np.all(np.abs(found - mean) < 5 * np.sqrt(mean))  # five standard deviations


def test_a_pair_is_a_function_of_its_key():
    _, images, masks, keys = pairs(5, 6, 8, crop=4, flip=True, turn=True)
    mask = np.arange(48, dtype=np.uint8).reshape(1, 6, 8)
    alone = augment_with_masks(mask[..., None], mask, keys[3:4], crop=4, flip=True, turn=True)
    np.testing.assert_array_equal(alone[0][0], images[3])
    np.testing.assert_array_equal(alone[1][0], masks[3])


def test_all_frames_of_a_clip_are_changed_alike():
    clips = np.random.default_rng(0).integers(0, 256, (5, 3, 6, 6, 2), np.uint8)
    keys, options = jax.random.split(jax.random.key(3), 5), {"crop": 4, "flip": True, "turn": True}
    changed = augment_clips(clips, keys, **options)
    frames = [augment(clips[:, i], keys, **options) for i in range(3)]
    np.testing.assert_array_equal(changed, np.stack(frames, 1))


def test_tones_are_shifted_as_a_whole_and_within_bounds():
    picture = np.random.default_rng(0).uniform(0.4, 0.6, (1, 5, 4, 3)).astype(np.float32)
    keys = jax.random.split(jax.random.key(2), 300)
    shifted = np.asarray(jax.jit(shift_tones, static_argnums=2)(picture.repeat(300, 0), keys, 0.2))
    flat, seen = picture.reshape(-1), shifted.reshape(300, -1)
    contrast, offset = np.polyfit(flat, seen.T, 1)  # every picture is a line of the first
    np.testing.assert_allclose(seen, contrast[:, None] * flat + offset[:, None], atol=1e-5)
    brightness = seen.mean(1) - flat.mean()
    assert 0.8 <= contrast.min() < 0.83 and 1.17 < contrast.max() <= 1.2  # of 300 draws the outermost are near
    assert -0.1 <= brightness.min() < -0.09 and 0.09 < brightness.max() <= 0.1
    np.testing.assert_allclose(shift_tones(picture, keys[:1], 0.0), picture, rtol=1e-6)


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


def rectangle(mask):
    """Whether the places of a mask are a rectangle, and its sides."""
    rows, columns = mask.any(1), mask.any(0)
    return np.array_equal(mask, np.outer(rows, columns)), rows.sum(), columns.sum()


def test_cutmix_pastes_a_box_of_the_next_of_the_global_batch():
    images = np.broadcast_to(np.arange(8, dtype=np.float32).reshape(8, 1, 1, 1), (8, 20, 10, 3))
    targets, keys = np.eye(8, dtype=np.float32), jax.random.split(jax.random.key(2), 8)
    step = jax.pmap(lambda *own: cutmix(*own, 1.0, "batch"), "batch", devices=jax.devices()[:4])
    split = [leaf.reshape(4, 2, *leaf.shape[1:]) for leaf in (images, targets, keys)]
    mixed, shares = (np.asarray(leaf).reshape(8, *leaf.shape[2:]) for leaf in step(*split))
    pasted = mixed[..., 0] != images[..., 0]
    np.testing.assert_array_equal(mixed, np.where(pasted[..., None], np.roll(images, -1, 0), images))
    assert all(rectangle(mask)[0] for mask in pasted)
    area = pasted.mean((1, 2))
    np.testing.assert_allclose(shares, np.diag(1 - area) + np.roll(np.diag(area), 1, 1), atol=1e-6)
    assert len(set(area)) > 4  # each has a λ of its own


@pytest.mark.slow
def test_boxes_are_as_large_and_anywhere():
    """For α = 1 a box of share u has its centre anywhere: E[rows] = H E[√u (1 - √u / 4)] = H (2/3 - 1/8)."""
    count, keys = 2000, jax.random.split(jax.random.key(3), 2000)
    images = np.zeros((count, 16, 16, 1), np.float32)
    images[1::2] = 1
    step = jax.pmap(lambda *own: cutmix(*own, 1.0, "batch")[0], "batch", devices=jax.devices()[:1])
    pasted = np.asarray(step(images[None], np.zeros((1, count, 2), np.float32), keys[None]))[0] != images
    rows = pasted[..., 0].any(2).sum(1)
    assert abs(rows.mean() - 16 * (2 / 3 - 1 / 8)) < 5 * rows.std() / np.sqrt(count)  # five standard errors
    assert abs(pasted.mean((0, 3)) - pasted.mean((0, 3))[::-1, ::-1]).max() < 5 * 0.5 / np.sqrt(count) * 2


@pytest.mark.parametrize("probability", [0.0, 0.4, 1.0])
def test_erasing_rectangles(probability):
    images, keys = np.full((1000, 24, 32, 3), 2.0, np.float32), jax.random.split(jax.random.key(4), 1000)
    seen = np.asarray(jax.jit(erase, static_argnums=2)(images, keys, probability))
    gone = seen != 2.0
    erased = gone.any((1, 2, 3))
    assert abs(erased.mean() - probability) <= 5 * np.sqrt(probability * (1 - probability) / 1000)
    assert seen[gone].size == 0 or (seen[gone].min() >= 0 and seen[gone].max() < 1 and 0.45 < seen[gone].mean() < 0.55)
    for mask in gone[erased, ..., 0]:
        whole, height, width = rectangle(mask)
        assert whole
        assert (height + 1) * (width + 1) >= 0.02 * 24 * 32 and (height - 1) * (
            width - 1
        ) <= 0.4 * 24 * 32  # of centres
    np.testing.assert_array_equal(gone[..., 0], gone[..., 2])
