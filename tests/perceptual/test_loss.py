"""The perceptual loss of a stylisation: regions, blends, independence of scale, gradients, dtypes."""

import functools
from typing import NamedTuple

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import tiny

from jaxstyle import losses
from jaxstyle.ops.moments import scale
from jaxstyle.perceptual.loss import PerceptualLoss, Weights, painting_moments, painting_targets, picture_targets
from jaxstyle.perceptual.objective import Objective
from jaxstyle.perceptual.style import DISTANCES
from jaxstyle.pixels.loop import optimize
from jaxstyle.pixels.objectives import ObjectiveLoss, StageObjective
from jaxstyle.pixels.stylize import prepare

FEATURES = tiny.features()
CONTENT = tiny.picture(0, 40, 48)
STYLES = [tiny.picture(1, 48, 40), 0.4 * tiny.picture(2, 44, 44)]
LEFT = np.zeros((40, 48), np.float32)
LEFT[:, :24] = 1
WEIGHTS = Weights(np.float32(0.3), np.float32(0.1), np.full(5, 0.2, np.float32))


class Data(NamedTuple):
    style: dict
    objective: Objective


def loss_of(style_loss="wasserstein", dtype="float32", remat=False) -> PerceptualLoss:
    return PerceptualLoss(FEATURES.network.clone(remat=remat), ("relu4_2",), tiny.TAPS, style_loss, dtype)


def targets(loss, features=FEATURES, weights=(0.5, 0.5), masks=None, styles=STYLES) -> Data:
    seen = [painting_targets(loss, style, features.params) for style in styles]
    content, style, _ = picture_targets(loss, CONTENT, features.params, seen, np.float32(weights), masks)
    return Data(style, loss.objective(content, style, WEIGHTS))


@functools.cache
def compiled(style_loss, dtype, remat):
    chosen = ObjectiveLoss(loss_of(style_loss, dtype, remat).network, dtype=dtype, descends=True)
    key = jax.random.key(0)
    return jax.jit(jax.value_and_grad(lambda x, o, p: chosen(x, StageObjective(o), p, key), has_aux=True))


def evaluate(style_loss="wasserstein", dtype="float32", remat=False):
    """`(image, data, params) -> ((loss, terms), gradient)`, jitted; one for all tests, to compile it once."""
    program = compiled(style_loss, dtype, remat)
    return lambda image, data, params: program(image, data.objective, params)


def start() -> np.ndarray:
    return np.clip(CONTENT + 0.1 * np.random.default_rng(5).standard_normal(CONTENT.shape), 0, 1).astype(np.float32)


@pytest.mark.parametrize("style_loss", DISTANCES)
def test_the_terms_sum_to_the_loss_and_vanish_at_their_targets(style_loss):
    chosen = loss_of(style_loss)
    data = targets(chosen, weights=(1,), styles=[CONTENT])
    (loss, terms), _ = evaluate(style_loss)(start(), data, FEATURES.params)
    names = {"content/relu4_2", "total_variation", *(f"style/{tap}" for tap in tiny.TAPS)}
    assert set(terms) == names and all(term >= 0 for term in terms.values())
    np.testing.assert_allclose(loss, sum(terms.values()), rtol=1e-6)
    (_, still), _ = evaluate(style_loss)(CONTENT, data, FEATURES.params)
    for name in names - {"total_variation"}:
        assert abs(still[name]) < 1e-5 < terms[name]  # float32, of moments of order one


def test_each_region_goes_to_its_own_style():
    inputs = tiny.inputs(contents=[CONTENT], styles=STYLES, content_masks=(LEFT, 1 - LEFT))
    alone = {"content_weight": 0.0, "structure_weight": 0.0, "matching_weight": 0.0, "parametrization": "pixels"}
    config = tiny.config(min_size=48, initial_iterations=120, learning_rate=0.05, **alone)
    made = optimize(prepare(config, FEATURES, inputs), jax.devices()[:1]).pictures[0]
    moments = functools.partial(painting_moments, loss_of("mean-std"))
    wanted = [moments(style, FEATURES.params) for style in STYLES]
    for i, mask in enumerate((LEFT, 1 - LEFT)):
        before, after = (moments(picture, FEATURES.params, mask) for picture in (CONTENT, made))
        for layer in config.style_layers:
            own, other, at_first = (
                float(losses.mean_std_distance(seen[layer], wanted[j][layer]))
                for seen, j in ((after, i), (after, 1 - i), (before, i))
            )
            assert own < 0.6 * other and own < 0.3 * at_first, (i, layer, own, other, at_first)


def test_a_region_is_blind_to_what_lies_outside_it():
    """With one region of share one, first-layer statistics do not change when the rest of the picture does."""
    chosen = loss_of("gram")
    data = targets(chosen, weights=(1,), masks=LEFT[None], styles=STYLES[:1])
    changed = CONTENT.copy()
    changed[:, 26:] = 0.5  # 1 px from relu1_1's receptive field, 1 px from the mask's border
    terms = [evaluate("gram")(image, data, FEATURES.params)[0][1]["style/relu1_1"] for image in (CONTENT, changed)]
    np.testing.assert_allclose(*terms, rtol=1e-5)
    assert np.isclose(data.style["relu1_1"].share.sum(), 1)


def test_a_blend_aims_at_the_weighted_moments():
    chosen = loss_of("gram")
    blend = targets(chosen, weights=(0.25, 0.75))
    parts = [painting_moments(chosen, style, FEATURES.params) for style in STYLES]
    for layer in tiny.TAPS:
        style = blend.style[layer]
        found = scale(style.moments, style.scale)
        for leaf in ("mean", "second"):
            expected = 0.25 * getattr(parts[0][layer], leaf) + 0.75 * getattr(parts[1][layer], leaf)
            np.testing.assert_allclose(getattr(found, leaf)[0], expected, rtol=1e-4, atol=1e-6)


def test_a_style_of_weight_zero_does_not_count():
    chosen = loss_of("gram")
    both, one = targets(chosen, weights=(2.0, 0.0)), targets(chosen, weights=(1,), styles=STYLES[:1])
    for layer in tiny.TAPS:
        np.testing.assert_allclose(both.style[layer].moments.second, one.style[layer].moments.second, rtol=1e-5)


@pytest.mark.parametrize("style_loss", DISTANCES)
def test_distances_are_relative(style_loss):
    """Features ten times as large give the same loss: weights mean the same for every network."""
    louder = tiny.features(gain=10)
    losses_ = [
        evaluate(style_loss)(start(), targets(loss_of(style_loss), features), features.params)[0][1]
        for features in (FEATURES, louder)
    ]
    for name in losses_[0]:
        np.testing.assert_allclose(losses_[1][name], losses_[0][name], rtol=1e-3, atol=1e-7, err_msg=name)


@pytest.mark.parametrize("masked", [False, True], ids=["whole", "masked"])
@pytest.mark.parametrize("style_loss", DISTANCES)
def test_the_gradient_equals_central_differences(style_loss, masked):
    """With a step of 1e-4: a longer one meets the network's kinks (ReLU, max pooling), a shorter one drowns in
    rounding (1e-7 of a loss near 1 over 2e-4 is 5e-4 of a slope near 1)."""
    masks = np.stack([LEFT, 1 - LEFT]) if masked else None
    data = targets(loss_of(style_loss), masks=masks)
    at = start()
    (value, _), slope = evaluate(style_loss)(at, data, FEATURES.params)
    assert np.isfinite(value) and np.isfinite(slope).all()
    for direction in (np.asarray(slope) / np.abs(slope).max(), np.float32(tiny.picture(9, 40, 48) - 0.5)):
        ahead, behind = (evaluate(style_loss)(at + h * direction, data, FEATURES.params)[0][0] for h in (1e-4, -1e-4))
        cancelled = np.abs(slope * direction).sum()
        np.testing.assert_allclose((ahead - behind) / 2e-4, np.vdot(slope, direction), rtol=0.02, atol=0.01 * cancelled)


@pytest.mark.slow
def test_bfloat16_is_near_float32(style_loss="wasserstein"):
    """Eight bits of mantissa: activations are off by some 0.4 % a layer; moments and the picture stay float32."""
    results = []
    for dtype in ("float32", "bfloat16"):
        data = targets(loss_of(style_loss, dtype))
        assert data.style["relu3_1"].moments.second.dtype == jnp.float32
        results.append(evaluate(style_loss, dtype)(start(), data, FEATURES.params))
    ((value, _), slope), ((rough_value, _), rough_slope) = results
    assert rough_value.dtype == rough_slope.dtype == jnp.float32
    np.testing.assert_allclose(rough_value, value, rtol=0.1)
    cosine = np.vdot(slope, rough_slope) / (np.linalg.norm(slope) * np.linalg.norm(rough_slope))
    assert cosine > 0.95


@pytest.mark.slow
def test_rematerialisation_changes_nothing():
    data = targets(loss_of())
    (value, _), slope = evaluate()(start(), data, FEATURES.params)
    (again, _), remade = evaluate(remat=True)(start(), data, FEATURES.params)
    np.testing.assert_allclose(again, value, rtol=1e-6)
    np.testing.assert_allclose(remade, slope, rtol=1e-3, atol=1e-5 * np.abs(slope).max())


@pytest.mark.parametrize("style_loss", DISTANCES)
def test_flat_pictures_give_finite_gradients(style_loss):
    flat = np.full_like(CONTENT, 0.5)
    for image, styles in ((flat, STYLES), (CONTENT, [np.full_like(style, 0.5) for style in STYLES])):
        data = targets(loss_of(style_loss), styles=styles)
        (value, _), slope = evaluate(style_loss)(image, data, FEATURES.params)
        assert np.isfinite(value) and np.isfinite(slope).all()
