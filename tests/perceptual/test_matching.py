"""Matching targets: what is looked up, where it counts, regions; against NumPy in float64."""

import functools

import jax
import jax.numpy as jnp
import numpy as np
import pytest
import reference
import tiny

from jaxstyle.ops.matching import Bag, local_contrast
from jaxstyle.perceptual.loss import PerceptualLoss, Weights, painting_targets, picture_targets
from jaxstyle.perceptual.matching import HALF_DETAIL, find, free_target, matched_distance, matching_target
from jaxstyle.perceptual.objective import Activations

RNG = np.random.default_rng(0)
PHOTO, PICTURE = (RNG.random((6, 7, 4)).astype(np.float32) for _ in range(2))
BAGS = [
    Bag(RNG.random(4).astype(np.float32), reference.unit(RNG.standard_normal((count, 4))).astype(np.float32))
    for count in (12, 9)
]
MASKS = np.stack([np.linspace(0, 1, 7)[None].repeat(6, 0), 1 - np.linspace(0, 1, 7)[None].repeat(6, 0)]).astype("f4")
ONE = np.ones(1, np.float32)


def target(guidance=0.75, photo=PHOTO, bags=BAGS[:1], masks=None):
    weights = jnp.ones(len(bags))
    return matching_target(jnp.asarray(photo), bags, weights, masks)._replace(guidance=jnp.float32(guidance))


def matched(picture, found):
    return found._replace(nearest=find(jnp.asarray(picture), found))


def centred(x):
    x = x.astype(np.float64) - x.mean((0, 1), dtype=np.float64)
    return x / np.sqrt((x**2).sum(-1).mean())


@pytest.mark.parametrize("guidance", [0.0, 0.75, 1.0])
def test_the_query_is_a_blend_of_photo_and_picture(guidance):
    contrast = np.asarray(local_contrast(jnp.asarray(PHOTO)), np.float64)
    share = (guidance * contrast / (contrast + HALF_DETAIL))[..., None]
    query = share * centred(PHOTO) + (1 - share) * centred(PICTURE)
    expected = (query @ BAGS[0].vectors.T).argmax(-1)
    np.testing.assert_array_equal(find(jnp.asarray(PICTURE), target(guidance))[0], expected)


def test_the_distance_is_the_weighted_mean_over_places():
    found = matched(PICTURE, target(bags=BAGS, masks=MASKS))
    expected = 0
    for i, bag in enumerate(BAGS):
        vectors = bag.vectors[np.asarray(found.nearest[i]) % len(bag.vectors)]  # the smaller bag is repeated
        cosines = (reference.unit(PICTURE.astype(np.float64) - bag.mean) * vectors).sum(-1)
        expected += (np.asarray(found.weight[i], np.float64) * (1 - cosines)).mean()
    np.testing.assert_allclose(matched_distance(jnp.asarray(PICTURE), found), expected, rtol=1e-5)
    contrast = np.asarray(local_contrast(jnp.asarray(PHOTO)))
    np.testing.assert_allclose(found.weight, MASKS * (contrast / (contrast + HALF_DETAIL)), rtol=1e-6)


def test_its_gradient_equals_central_differences():
    found = matched(PICTURE, target(bags=BAGS, masks=MASKS))

    leaves = [np.asarray(leaf) for leaf in (*found.bag, found.nearest, found.weight)]

    def exact(x):
        total = 0
        for mean, vectors, places, weight in zip(*leaves, strict=True):
            cosines = (reference.unit(x - mean) * vectors.astype(np.float64)[places]).sum(-1)
            total += (weight * (1 - cosines)).mean()
        return total

    slope = jax.grad(matched_distance)(jnp.asarray(PICTURE), found)
    reference.assert_near(slope, reference.gradient(exact, PICTURE), 1e-4)


def test_without_a_photo_every_place_finds_what_it_resembles_most():
    found = free_target(BAGS[:1], jnp.ones(1), PICTURE.shape)
    expected = (centred(PICTURE) @ BAGS[0].vectors.T).argmax(-1)
    np.testing.assert_array_equal(find(jnp.asarray(PICTURE), found)[0], expected)
    np.testing.assert_array_equal(found.weight, np.ones((1, *PICTURE.shape[:2])))


def test_where_the_photo_is_flat_nothing_is_asked_for():
    photo = PHOTO.copy()
    photo = np.concatenate([np.full((30, 7, 4), 0.5, np.float32), photo])
    found = target(photo=photo)
    assert float(jnp.max(found.weight[0, :20])) < 1e-3 < 0.2 < float(jnp.mean(found.weight[0, 32:]))
    flat = target(photo=np.full_like(PHOTO, 0.5))
    value, slope = jax.value_and_grad(matched_distance)(jnp.asarray(PICTURE), matched(PICTURE, flat))
    assert value == 0 and not np.any(slope)


def test_a_loss_with_matching_layers_has_their_terms():
    features = tiny.features()
    loss = PerceptualLoss(features.network, (), ("relu1_1",), "gram", matching_layers=("relu2_1", "relu3_1"))
    photo, painting = tiny.picture(0, 40, 48), tiny.picture(1, 48, 40)
    styles = [painting_targets(loss, painting, features.params)]
    _, style, targets = picture_targets(loss, photo, features.params, styles, ONE, None)
    assert {layer: one.guide.shape[:2] for layer, one in targets.items()} == {"relu2_1": (20, 24), "relu3_1": (10, 12)}
    weights = Weights(np.float32(0), np.float32(0), ONE, np.float32(0.3))
    objective = loss.objective({}, style, weights, targets)
    found = loss.extract(jnp.asarray(photo), features.params, loss.layers)
    seen = Activations(jnp.asarray(photo), {layer: x[None] for layer, x in found.items()}, {})
    with pytest.raises(ValueError, match="not matched yet"):
        objective.terms(seen)
    terms = objective.having(objective.matches(seen)).terms(seen)
    for layer, one in targets.items():
        alone = matched_distance(found[layer], one._replace(nearest=find(found[layer], one)))
        np.testing.assert_allclose(terms[f"matching/{layer}"], 0.3 / 2 * alone, rtol=1e-6)


@pytest.mark.parametrize("platform", ["cuda", "tpu"])
def test_matching_lowers_without_a_call_of_the_host(platform):
    found = target(bags=BAGS, masks=MASKS)
    program = jax.jit(jax.vmap(functools.partial(find, target=found)))
    text = program.trace(jnp.zeros((3, 6, 7, 4))).lower(lowering_platforms=(platform,)).as_text()
    assert "dot_general" in text and "custom_call" not in text
