"""An objective before the loop: signs, references, masks, groups, tiles."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import tiny

from jaxstyle.pixels import objectives as o
from jaxstyle.pixels.objectives import ObjectiveLoss, StageObjective
from jaxstyle.pixels.objectives.loss import cut, tiling
from jaxstyle.pixels.transforms import Jitter

FEATURES = tiny.features()
PICTURE, PHOTO = tiny.picture(0, 24, 32), tiny.picture(1, 24, 32)
KEY = jax.random.key(3)


@functools.cache
def program(transforms=(), tile=None, dtype="float32", descends=False):
    loss = ObjectiveLoss(FEATURES.network, transforms, dtype, tile, descends)
    return jax.jit(jax.value_and_grad(loss, has_aux=True))


def run(stage, image=PICTURE, key=KEY, **options):
    return program(**options)(image, stage, FEATURES.params, key)


def test_the_loss_is_minus_the_terms_sum():
    (loss, terms), slope = run(StageObjective(o.layer_energy("relu2_1") + 2 * o.channel("relu1_1", 3)))
    assert set(terms) == {"l2/relu2_1", "channel/relu1_1"}
    np.testing.assert_allclose(loss, -sum(terms.values()), rtol=1e-6)
    (better, _), _ = run(
        StageObjective(o.layer_energy("relu2_1") + 2 * o.channel("relu1_1", 3)), PICTURE - 1e-3 * slope
    )
    assert better < loss


def test_an_objective_to_be_made_small_is_the_loss_itself():
    stage = StageObjective(o.layer_energy("relu2_1") + 0.5 * o.total_variation())
    (up, terms), slope = run(stage)
    (down, same), other = run(stage, descends=True)
    np.testing.assert_allclose([down, *same.values()], [-up, *terms.values()], rtol=1e-6)
    np.testing.assert_allclose(other, -slope, rtol=1e-5, atol=1e-6 * np.abs(slope).max())


def test_the_reference_is_moved_as_the_picture_is():
    """So a picture is at no distance from itself, however it is shifted."""
    stage = StageObjective(-o.content("relu2_1"), PICTURE)
    (loss, _), _ = run(stage, transforms=(Jitter(4),))
    assert loss == 0
    (apart, _), _ = run(StageObjective(-o.content("relu2_1"), PHOTO), transforms=(Jitter(4),))
    assert apart > 0.01


def test_a_mask_keeps_the_gradient_out_and_the_stage_whole():
    mask = np.zeros((24, 32), np.float32)
    mask[:, :10], mask[:, 10] = 1, 0.5
    objective = o.layer_energy("relu2_1")
    (loss, _), slope = run(StageObjective(objective))
    (masked, _), inside = run(StageObjective(objective, None, mask))
    np.testing.assert_allclose(masked, loss, rtol=1e-6)
    np.testing.assert_allclose(inside, slope * mask[..., None], atol=1e-6 * np.abs(slope).max())


def test_a_group_is_seen_together():
    group = np.stack([PICTURE, PHOTO])
    stage = StageObjective(o.diversity("relu2_1"))
    (loss, _), slope = run(stage, group)
    assert 0 < loss <= 1 and slope.shape == group.shape and np.abs(slope).min(axis=0).max() > 0
    (same, _), _ = run(stage, np.stack([PICTURE, PICTURE]))
    np.testing.assert_allclose(same, 1, rtol=1e-5)


def test_tiles_are_cut_in_reading_order():
    pictures = np.arange(2 * 5 * 7, dtype=np.float32).reshape(2, 5, 7, 1)
    tiles = np.asarray(cut(jnp.asarray(pictures), (2, 3)))
    assert tiles.shape == (4, 2, 2, 3, 1)
    np.testing.assert_array_equal(tiles[1, :, :, :, 0], pictures[:, :2, 3:6, 0])
    np.testing.assert_array_equal(tiles[2, :, :, :, 0], pictures[:, 2:4, :3, 0])


def test_tilings_cover_nearly_all_with_equal_tiles():
    assert tiling(24, 32, 32) is None
    for height, width, largest in ((24, 33, 32), (1080, 1920, 512), (65, 64, 64)):
        high, wide = tiling(height, width, largest)
        assert max(high, wide) <= largest
        rows, columns = -(-height // largest), -(-width // largest)
        assert 0 <= height - rows * high < rows and 0 <= width - columns * wide < columns


def test_tiled_scores_are_the_mean_over_tiles():
    objective = o.layer_energy("relu2_1")
    (loss, _), slope = run(StageObjective(objective), tile=16)
    parts = [run(StageObjective(objective), PICTURE[y : y + 12, x : x + 16]) for y in (0, 12) for x in (0, 16)]
    np.testing.assert_allclose(loss, np.mean([value for (value, _), _ in parts]), rtol=1e-5)
    grid = np.concatenate([np.concatenate([p[1] for p in parts[i : i + 2]], 1) for i in (0, 2)]) / 4
    np.testing.assert_allclose(slope, grid, atol=1e-5 * np.abs(grid).max())


def test_bfloat16_is_near_float32():
    stage = StageObjective(o.layer_energy("relu2_1"))
    (loss, _), slope = run(stage)
    (rough, _), rough_slope = run(stage, dtype="bfloat16")
    assert rough.dtype == rough_slope.dtype == jnp.float32
    np.testing.assert_allclose(rough, loss, rtol=0.03)  # eight bits of mantissa, a few layers
    assert np.vdot(slope, rough_slope) > 0.98 * np.linalg.norm(slope) * np.linalg.norm(rough_slope)
