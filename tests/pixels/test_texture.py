"""Texture synthesis: the torus, the exemplars' statistics, sizes, and what a short run makes of noise."""

import dataclasses
import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import tiny
from hypothesis import given, settings
from hypothesis import strategies as st

from jaxstyle import losses
from jaxstyle.errors import JaxstyleError
from jaxstyle.features import build
from jaxstyle.media.image_reading import read_picture
from jaxstyle.media.image_resizing import resize
from jaxstyle.ops.moments import combine, covariance, energy, scale
from jaxstyle.ops.resampling import resize_image
from jaxstyle.perceptual.loss import painting_moments
from jaxstyle.pixels import texture
from jaxstyle.pixels.loop import optimize
from jaxstyle.pixels.method import advance, match, start
from jaxstyle.pixels.optimizers import adam, carry_state
from jaxstyle.pixels.schedule import Stage
from jaxstyle.pixels.texture import TextureConfig
from jaxstyle.runtime import memory

FEATURES = tiny.features()
EXEMPLARS = [tiny.picture(1, 40, 56), tiny.picture(2, 44, 44)]
SMALL = {
    "size": "48",
    "min_size": 34,
    "initial_iterations": 4,
    "iterations": 3,
    "style_loss": "mean-std",
    "style_layers": tiny.TAPS[:3],
    "layer_weights": (1, 1, 1),
    "matching_weight": 0,
}
few = settings(derandomize=True, deadline=None, max_examples=15)


def config(**changes):
    return TextureConfig(**{**SMALL, **changes})


def shares(lines):
    """`(row, column)`: shares of the picture's interior lines across which it changes less than across its seam."""
    found = []
    for axis in (0, 1):
        steps = np.abs(lines - np.roll(lines, 1, axis)).mean((1 - axis, 2))
        found.append(np.mean(steps[1:] < steps[0]))
    return found


@pytest.mark.parametrize(
    ("size", "shape"), [(512, (512, 512)), ("640x480", (480, 640)), ((640, 480), (480, 640)), ("96×32", (32, 96))]
)
def test_sizes(size, shape):
    found = config(size=size)
    found.check()
    assert found.shape == shape and isinstance(found.size, str)
    assert TextureConfig(**dataclasses.asdict(found)) == found


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"size": "big"}, "size 'big' is neither a number of pixels nor WIDTHxHEIGHT"),
        ({"size": "64x64x64"}, "size '64x64x64' is neither"),
        ({"size": "-64"}, "size '-64' is neither"),
        ({"size": "64x8"}, "size is 64x8; each side must be at least 16"),
        ({"style_size": 8}, "style_size is 8; it must be at least 16"),
        ({"tileable": "perhaps"}, "tileable 'perhaps' is not true or false"),
        ({"tileable": 3}, "tileable is 3; it must be true or false"),
        ({"layer_weights": (1,)}, "layer_weights has 1 numbers for 3 style layers"),
        ({"style_weights": (1, 2, 3)}, "style_weights has 3 numbers for 2 styles"),
        ({"style_layers": ("relu1_1", "relu9_1", "relu3_1")}, "unknown layer 'relu9_1'"),
        ({"size": "50x48", "tileable": True}, "sides of a tileable texture are multiples of 4 .* make it 52x48"),
        ({"size": "16", "style_layers": tiny.TAPS, "layer_weights": [1] * 5, "min_size": 99}, None),
    ],
)
def test_what_cannot_be(changes, message):
    if message is None:
        assert texture.prepare(config(**changes), FEATURES, tiny.inputs(styles=EXEMPLARS)).start.shape == (1, 16, 16, 3)
        return
    with pytest.raises(JaxstyleError, match=message):
        texture.prepare(config(**changes), FEATURES, tiny.inputs(styles=EXEMPLARS))


def test_an_exemplar_too_large_for_the_memory(monkeypatch):
    monkeypatch.setattr(memory, "available", lambda: 50e6)
    texture.prepare(config(), FEATURES, tiny.inputs(styles=EXEMPLARS))
    with pytest.raises(JaxstyleError, match=r"an exemplar of 20\d\d×20\d\d px.* needs some .* GiB .*style_size"):
        texture.prepare(config(style_size=2000), FEATURES, tiny.inputs(styles=EXEMPLARS[1:]))


@pytest.mark.parametrize(
    "size", [(18, 28), *(pytest.param(s, marks=pytest.mark.slow) for s in [(9, 14), (12, 16), (6, 7)])]
)
@pytest.mark.parametrize("method", ["cubic", "linear"])
def test_a_periodic_resize_is_that_of_many_copies(method, size):
    """Up, down, unequally: of copies side by side the middle one has only its like around it."""
    image = tiny.picture(3, 12, 14)
    resized = resize_image(jnp.asarray(image), *size, method, periodic=True)
    copies = resize_image(jnp.tile(image, (5, 5, 1)), 5 * size[0], 5 * size[1], method)
    middle = copies[2 * size[0] : 3 * size[0], 2 * size[1] : 3 * size[1]]
    np.testing.assert_allclose(resized, middle, atol=1e-5)  # float32 positions of up to 70 pixels


def test_adams_moments_of_a_periodic_picture_are_resampled_so():
    optimizer, spiky = adam(), jnp.zeros((6, 4, 3)).at[0, 0].set(1.0)
    state = jax.tree.map(lambda leaf: spiky if leaf.ndim == 3 else leaf, optimizer.init(spiky))
    carried = carry_state(state, optimizer.init(jnp.zeros((12, 8, 3))), periodic=True)
    assert carried[0].nu[-1, -1, 0] > 0 and carried[0].nu.min() >= 0
    np.testing.assert_allclose(carried[0].nu, resize_image(spiky, 12, 8, "linear", periodic=True))


@functools.cache
def job(**changes):
    """A problem, its style targets at the last stage, and `image -> (loss, gradient)` with them."""
    found = texture.prepare(config(**changes), FEATURES, tiny.inputs(styles=EXEMPLARS))
    stage = jax.tree.map(lambda leaf: leaf[0], found.data(found.stages[-1]))
    key = jax.random.key(0)
    look = jax.jit(jax.value_and_grad(lambda image: found.method.loss(image, stage, FEATURES.params, key)[0]))
    return found, styles(stage), look


def styles(stage):
    """The style targets in an objective, by layer."""
    return {part.layer: n for part, n in zip(stage.objective.parts, stage.objective.numbers, strict=True) if part.layer}


@pytest.mark.parametrize(
    "style_loss",
    [pytest.param(name, marks=[pytest.mark.slow] * (name != "gram")) for name in ("wasserstein", "gram", "mean-std")],
)
def test_the_loss_of_a_picture_rolled_by_the_stride_is_its_own(style_loss):
    _, _, look = job(size="64x48", style_loss=style_loss, style_layers=tiny.TAPS[::2])  # to relu5_1: stride 16
    image = tiny.picture(5, 48, 64)
    loss, slope = look(image)
    for shift in ((16, 0), (0, 48), (32, 16)):
        rolled_loss, rolled_slope = look(np.roll(image, shift, (0, 1)))
        np.testing.assert_allclose(rolled_loss, loss, rtol=1e-5, atol=1e-6)
        difference = np.abs(rolled_slope - np.roll(slope, shift, (0, 1))).max()
        assert difference < 1e-3 * np.abs(slope).max()  # float32, through a factor of an ill-conditioned covariance
    assert not np.isclose(look(np.roll(image, 8, 0))[0], loss, rtol=1e-5)


def test_the_gradient_equals_central_differences():
    _, _, look = job(size="64x48", style_loss="gram", style_layers=tiny.TAPS[::2])
    image = tiny.picture(5, 48, 64)
    _, slope = look(image)
    along = np.asarray(slope) / np.abs(slope).max()
    ahead, behind = (look(image + h * along)[0] for h in (1e-4, -1e-4))
    # Rounding: 1e-7 of a loss near 1 over 2e-4, and the kinks of ReLU and pooling.
    np.testing.assert_allclose((ahead - behind) / 2e-4, np.vdot(slope, along), rtol=0.02)


def test_mixed_exemplars_are_combined_moments():
    found, targets, _ = job(style_weights=(1.0, 3.0))
    maker, stage = found.data, found.stages[-1]
    parts = []
    for exemplar in EXEMPLARS:
        seen, mask = texture.mirrored(resize(exemplar, *maker.size(stage, exemplar)), maker.margin)
        parts.append(painting_moments(maker.loss, seen, FEATURES.params, mask))
    for layer in maker.loss.style_layers:
        style = scale(targets[layer].moments, targets[layer].scale)
        blend = combine([part[layer] for part in parts], np.float32([0.25, 0.75]))
        np.testing.assert_allclose(style.mean[0], blend.mean, rtol=1e-5)
        np.testing.assert_allclose(style.second[0], blend.second, rtol=1e-4, atol=1e-6)
        np.testing.assert_allclose(blend.mean, 0.25 * parts[0][layer].mean + 0.75 * parts[1][layer].mean, rtol=1e-5)


@few
@given(st.integers(16, 70), st.integers(16, 70), st.sampled_from([16, 40, 80]))
def test_a_mirrored_picture_has_the_picture_in_its_middle(height, width, margin):
    picture = np.random.default_rng(0).random((height, width, 3), np.float32)
    seen, mask = texture.mirrored(picture, margin)
    assert seen.shape[:2] == mask.shape and all(side % margin == 0 for side in mask.shape)
    assert mask.sum() == height * width
    np.testing.assert_array_equal(seen[mask > 0], picture.reshape(-1, 3))
    np.testing.assert_array_equal(seen[margin - 1, margin : margin + width], picture[1])


def test_a_flat_exemplar_has_the_statistics_of_no_frame():
    """Far from any frame a network sees the same everywhere in a flat picture: no variance at any layer."""
    found = texture.prepare(
        config(style_layers=tiny.TAPS, layer_weights=[1] * 5), FEATURES, tiny.inputs(styles=[np.full((40, 40, 3), 0.7)])
    )
    for layer, style in styles(found.data(found.stages[-1])).items():
        spread = covariance(jax.tree.map(lambda leaf: leaf[0], style.moments))
        assert np.abs(spread).max() < 1e-3, layer
    # Zeros beyond the frame would be seen: without the margin the variance is large.
    loss = dataclasses.replace(found.data.loss, network=FEATURES.network)
    plain = painting_moments(loss, np.full((40, 40, 3), 0.7, np.float32), FEATURES.params)["relu5_1"]
    assert np.abs(covariance(plain)).max() / energy(plain) > 0.1


@pytest.mark.parametrize(
    ("size", "style_size", "expected"),
    [
        ("48", None, [(40, 56)]),
        ("48", 96, [(69, 96)]),
        ("96", None, [(20, 28), (40, 56)]),
    ],
)
def test_the_exemplars_are_seen_at_their_own_size_in_the_end(size, style_size, expected):
    found = texture.prepare(config(size=size, style_size=style_size), FEATURES, tiny.inputs(styles=EXEMPLARS))
    sizes = [found.data.size(stage, EXEMPLARS[0]) for stage in found.stages[-len(expected) :]]
    assert sizes == expected


def test_stages_are_multiples_of_the_stride_and_the_last_is_large_enough():
    found = texture.plan(config(size="50x47", min_size=34), FEATURES, tiny.TAPS[:3])
    assert found == [Stage(26, 24, 24, 4), Stage(52, 48, 52, 3, 1)]
    made = np.zeros((48, 52, 3))
    assert texture.finish(config(size="50x47"), made, tiny.inputs()).shape == (47, 50, 3)


def test_a_tile_is_cut_open_where_it_is_quietest():
    made = tiny.picture(6, 32, 48)
    found = texture.finish(config(size="48x32", tileable=True), made, tiny.inputs())
    row, column = shares(found)
    assert row == column == 0
    shifts = [(i, j) for i in range(32) for j in range(48) if np.array_equal(np.roll(made, (i, j), (0, 1)), found)]
    assert len(shifts) == 1


@pytest.mark.slow
def test_a_run_from_noise_comes_near_the_exemplar_and_has_no_seam():
    settings = config(size="64", min_size=64, tileable=True, initial_iterations=120, learning_rate=0.05)
    found = texture.prepare(settings, FEATURES, tiny.inputs(styles=EXEMPLARS[:1]))
    outcome = optimize(found, jax.devices()[:1])
    made = texture.finish(settings, outcome.pictures[0], tiny.inputs())
    assert made.shape == (64, 64, 3) and max(shares(made)) <= 0.95
    moments = functools.partial(painting_moments, found.data.loss)
    first, last = (moments(picture, FEATURES.params) for picture in (found.start[0], made))
    targets = jax.tree.map(lambda leaf: leaf[0], found.data(found.stages[-1]))
    for layer, style in styles(targets).items():
        wanted = scale(jax.tree.map(lambda leaf: leaf[0], style.moments), style.scale[0])
        before, after = (float(losses.mean_std_distance(seen[layer], wanted)) for seen in (first, last))
        assert after < 0.2 * before, (layer, before, after)


def test_places_are_matched_at_all_scales_but_the_first():
    posed = texture.prepare(
        config(size="96", matching_weight=1, match_every=2), FEATURES, tiny.inputs(styles=EXEMPLARS)
    )
    first, last = (posed.data(stage).objective.parts for stage in posed.stages)
    assert not [part for part in first if part.match]
    (matched,) = (part for part in last if part.match)
    assert matched.layer == tiny.TAPS[1] and posed.method.match_every == 2
    plain = texture.prepare(config(size="96"), FEATURES, tiny.inputs(styles=EXEMPLARS))
    one, other = (optimize(problem, jax.devices()[:1]).pictures for problem in (posed, plain))
    assert np.isfinite(one).all() and not np.array_equal(one, other)


@pytest.mark.parametrize(("optimizer", "weight"), [("adam", 0), ("adam", 1), ("lbfgs", 0)])
def test_a_step_lowers_for_every_platform(optimizer, weight):
    found = texture.prepare(
        config(optimizer=optimizer, style_loss="wasserstein", matching_weight=weight),
        FEATURES,
        tiny.inputs(styles=EXEMPLARS),
    )
    method, stage = found.method, found.stages[-1]
    state = jax.eval_shape(functools.partial(start, method), jnp.zeros((stage.height, stage.width, 3)))
    data = jax.tree.map(lambda leaf: leaf[0], found.data(stage))
    if method.match_every:
        state = jax.eval_shape(functools.partial(match, method), state, data, FEATURES.params)
    hyper = jax.tree.map(lambda leaf: leaf[0], found.hyper)
    traced = jax.jit(functools.partial(advance, method)).trace(state, hyper, data, FEATURES.params)
    for platform in ("cpu", "cuda", "tpu"):
        assert "stablehlo.convolution" in traced.lower(lowering_platforms=(platform,)).as_text()


@pytest.mark.slow
@pytest.mark.realdata
def test_a_real_exemplar_is_met_in_its_statistics_without_a_seam(real_data):
    from jaxstyle.features import read_weights

    weights = read_weights(real_data / "features" / "vgg19_distilled_16x" / "encoder_relu5_1.pth")
    features = build("distilled", weights, padding="circular")
    exemplar = read_picture(real_data / "images" / "style" / "texture_1.jpg").rgb
    alone = {"matching_weight": 0.0, "pooling": "max"}  # matching, the default, gives up some of the statistics
    settings = TextureConfig(size=96, min_size=96, style_size=96, initial_iterations=150, tileable=True, **alone)
    found = texture.prepare(settings, features, tiny.inputs(styles=[exemplar]))
    made = texture.finish(settings, optimize(found, jax.devices()[:1]).pictures[0], tiny.inputs())
    assert max(shares(made)) <= 0.95
    loss = found.data.loss
    seen, noise = (painting_moments(loss, picture, features.params) for picture in (made, found.start[0]))
    targets = styles(jax.tree.map(lambda leaf: leaf[0], found.data(found.stages[-1])))
    for layer in ("relu1_1", "relu2_1", "relu3_1"):  # those that judge a texture elsewhere
        style = targets[layer]
        wanted = scale(jax.tree.map(lambda leaf: leaf[0], style.moments), style.scale[0])
        ratio = losses.gram_distance(seen[layer], wanted) / losses.gram_distance(noise[layer], wanted)
        assert ratio < 0.05, (layer, float(ratio))
