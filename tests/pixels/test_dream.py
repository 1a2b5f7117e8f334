"""Dreams: the objective rises at every octave, detail comes back, masks, guides, tiles, bad settings."""

import dataclasses
import itertools

import jax
import numpy as np
import pytest
import tiny

import jaxstyle
from jaxstyle import DreamConfig, JaxstyleError
from jaxstyle.media.image_resizing import resize
from jaxstyle.pixels import objectives as o
from jaxstyle.pixels.dream import lost_detail, plan, prepare
from jaxstyle.pixels.schedule import Stage

FEATURES = tiny.features()
PHOTO = tiny.picture(0, 48, 64)
SMALL = DreamConfig(
    size=48,
    octaves=3,
    octave_scale=1.3,
    iterations=6,
    layers=("relu2_1",),
    jitter=4,
    learning_rate=0.02,
    devices=1,
    gradient_octaves=2,
)


def dream(photo=PHOTO, guide=None, mask=None, objective=None, **changes):
    config = dataclasses.replace(SMALL, **changes)
    return jaxstyle.dream(photo, config=config, features=FEATURES, guide=guide, mask=mask, objective=objective)


def look(picture, layer="relu2_1"):
    return np.asarray(FEATURES.network.apply({"params": FEATURES.params}, picture[None], (layer,))[1][layer][0])


@pytest.mark.slow
def test_the_objective_rises_at_every_octave():
    made = dream()
    octaves = [list(rows) for _, rows in itertools.groupby(made.history, key=lambda row: row["scale"])]
    assert [rows[0]["scale"] for rows in octaves] == [28, 37, 48]
    for rows in octaves:
        values = [row["l2/relu2_1"] for row in rows]
        assert values[-1] > 1.1 * values[0] and np.argmax(values) >= 3, values
        assert all(np.isclose(row["loss"], -row["l2/relu2_1"], rtol=1e-5) for row in rows)
    photo = resize(PHOTO, *made.picture.shape[:2])
    assert made.picture.shape == (36, 48, 3) and (look(made.picture) ** 2).mean() > 1.2 * (look(photo) ** 2).mean()


@pytest.mark.slow
def test_without_steps_worth_the_name_the_photo_comes_back_in_all_detail():
    made = dream(learning_rate=1e-7)
    # Resizing overshoots at edges and is clipped, there and back, by some thousandths.
    assert np.abs(made.picture - resize(PHOTO, 36, 48)).mean() < 3e-3


def test_lost_detail_is_what_enlarging_cannot_know():
    small, large = Stage(32, 24, 32, 1), Stage(64, 48, 64, 1)
    lost = lost_detail(PHOTO, small, large)
    again = resize(resize(PHOTO, 24, 32), 48, 64) + lost[0]
    np.testing.assert_allclose(again, PHOTO, atol=1e-6)
    assert lost.shape == (1, 48, 64, 3) and np.abs(lost).mean() > 0.01


def test_a_mask_keeps_the_photo_elsewhere():
    mask = np.zeros((48, 64), np.float32)
    mask[:, :32] = 1
    made, photo = dream(mask=mask, size=64, octaves=1), resize(PHOTO, 48, 64)
    np.testing.assert_array_equal(made.picture[:, 33:], photo[:, 33:])
    assert np.abs(made.picture[:, :31] - photo[:, :31]).mean() > 0.02


@pytest.mark.slow
def test_content_weight_holds_the_photo():
    free, held = dream(octaves=1), dream(octaves=1, content_weight=20.0)
    photo = resize(PHOTO, 36, 48)
    far, near = (((look(made.picture) - look(photo)) ** 2).mean() for made in (free, held))
    assert near < 0.7 * far
    assert held.history[0]["content/relu2_1"] == 0 and held.history[-1]["content/relu2_1"] < 0


@pytest.mark.slow
def test_a_guide_pulls_towards_its_features():
    guide = tiny.picture(5, 40, 40)
    made = dream(guide=guide, octaves=1, iterations=10)
    values = [row["guide/relu2_1"] for row in made.history]
    assert values[-1] > 1.1 * values[0]
    assert np.abs(made.picture - dream(octaves=1, iterations=10).picture).max() > 0.05


@pytest.mark.slow
def test_chosen_channels_rise_more_than_under_the_whole_layer():
    chosen = dream(channels=(2,), octaves=1)
    assert look(chosen.picture)[..., 2].mean() > look(dream(octaves=1).picture)[..., 2].mean()


@pytest.mark.slow
def test_any_objective_can_be_dreamt():
    made = dream(objective=o.channel("relu1_1", 1) - 0.1 * o.total_variation())
    assert set(made.history[0]) > {"channel/relu1_1", "total_variation"}


@pytest.mark.slow
def test_the_photos_colours_can_stay():
    made = dream(preserve_color="luminance")
    chroma = [
        picture @ np.array([[-0.169, 0.5], [-0.331, -0.419], [0.5, -0.081]])
        for picture in (made.picture, resize(PHOTO, 36, 48))
    ]
    inside = (made.picture.min(-1) > 0.02) & (made.picture.max(-1) < 0.98)  # elsewhere chroma is made paler
    np.testing.assert_allclose(chroma[0][inside], chroma[1][inside], atol=0.01)


def test_noise_seeds_and_frames():
    first, again, other = (dream(init="noise", octaves=1, seed=seed).picture for seed in (0, 0, 1))
    np.testing.assert_array_equal(first, again)
    assert np.abs(first - other).max() > 0.1
    keys = [prepare(SMALL, FEATURES, tiny.inputs(contents=[PHOTO], frame=[frame])).hyper.key for frame in (0, 1)]
    assert (keys[0] != keys[1]).any()


@pytest.mark.slow
def test_tiles_dream_nearly_what_the_whole_does():
    """At every step another part of the picture is at a seam, so that none shows: energies agree, and rise."""
    whole, tiled = dream(size=96, octaves=1), dream(size=96, octaves=1, tile_size=64)
    energies = [(look(made.picture) ** 2).mean() for made in (whole, tiled)]
    before = (look(resize(PHOTO, 72, 96)) ** 2).mean()
    assert min(energies) > 1.1 * before
    np.testing.assert_allclose(energies[1], energies[0], rtol=0.15)


def test_octaves_too_small_for_the_layers_are_left_out():
    stages = plan(dataclasses.replace(SMALL, octaves=6, octave_scale=1.5), 16, (48, 64))
    assert [stage.scale for stage in stages] == [32, 48]
    assert [(stage.height, stage.width) for stage in stages] == [(24, 32), (36, 48)]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"layers": ("relu2_9",)}, "unknown layer 'relu2_9'"),
        ({"channels": (8,)}, "layer 'relu2_1' has channels 0 to 7, and 8 is none of them"),
        ({"learning_rate": 0}, "learning_rate is 0"),
        ({"content_weight": -1}, "content_weight is -1; it must be at least 0"),
        ({"octave_scale": 1.0}, "octave_scale is 1; it must be at least 1.01"),
        ({"zoom": 1.1}, "zoom makes a film; say how many frames"),
        ({"zoom": 0.5}, "zoom is 0.5; it must be at least 1"),
        ({"norm": "l1"}, "norm 'l1' is unknown"),
        (
            {"layers": ("relu5_1",), "size": 16},
            "at size 16 a 64×48 picture is 12 px on its shorter side, and the layers need 16",
        ),
        ({"layers": ("relu5_1",), "size": 160, "tile_size": 64, "channels": (99,)}, "and 99 is none of them"),
    ],
)
def test_what_cannot_be_is_told(changes, message):
    with pytest.raises(JaxstyleError, match=message):
        dream(**changes)


def test_a_guide_and_channels_are_one_too_many():
    with pytest.raises(JaxstyleError, match="guide and channels do not go together"):
        dataclasses.replace(SMALL, guide="g.png", channels=(1,)).check()


def test_a_mask_of_another_size_is_told():
    with pytest.raises(JaxstyleError, match="the mask is 40×40 px and the picture is 64×48"):
        dream(mask=np.ones((40, 40), np.float32))


@pytest.mark.parametrize("tile_size", [None, 64])
def test_a_step_lowers_for_every_platform(tile_size):
    from jaxstyle.pixels.method import add_detail, advance, start

    config = dataclasses.replace(SMALL, content_weight=1.0, tile_size=tile_size, size=96, octaves=1)
    job = prepare(config, FEATURES, tiny.inputs(contents=[PHOTO], mask=[np.ones((48, 64), np.float32)]))
    method = job.method
    state = jax.eval_shape(jax.vmap(lambda image: start(method, image)), job.start)
    step = jax.vmap(lambda *args: advance(method, *args), in_axes=(0, 0, 0, None))
    traced = jax.jit(step).trace(state, job.hyper, job.data(job.stages[0]), job.shared)
    added = jax.jit(jax.vmap(lambda *args: add_detail(method, *args))).trace(state, job.start)
    for platform in ("cpu", "cuda", "tpu"):
        assert "stablehlo.convolution" in traced.lower(lowering_platforms=(platform,)).as_text()
        added.lower(lowering_platforms=(platform,))
