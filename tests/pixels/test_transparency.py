"""Transparent pictures: what is invisible counts for nothing, in photos, paintings and exemplars."""

import jax.numpy as jnp
import numpy as np
import pytest
import tiny

import jaxstyle
from jaxstyle import JaxstyleError
from jaxstyle.media.image_decoding import Picture
from jaxstyle.perceptual.loss import painting_moments
from jaxstyle.pixels.job import Inputs
from jaxstyle.pixels.stylize import StageObjectives, perceptual_loss, stages_of

SHOWN = np.zeros((40, 44), np.float32)
SHOWN[6:30, 8:38] = 1
SHOWN[30, 8:38] = 0.5
FEATURES = tiny.features()
RED, GREEN, BLACK = (1, 0, 0), (0, 1, 0), (0, 0, 0)


def hidden(seed, color):
    """A picture `[H, W, 4]` that is the same where it is visible, with a colour under what is not."""
    rgb = np.where(SHOWN[..., None] > 0, tiny.picture(seed, *SHOWN.shape), np.float32(color))
    return np.dstack([rgb, SHOWN]).astype(np.float32)


def stylized(content, style):
    return jaxstyle.stylize(content, [style], features=FEATURES, **tiny.SMALL).pictures


MAKERS = {
    "photo": lambda picture: stylized(picture, tiny.picture(2, 40, 44)),
    "painting": lambda picture: stylized(tiny.picture(2, 40, 44), picture),
    "luminance": lambda picture: (
        jaxstyle.stylize(
            picture, [tiny.picture(2, 40, 44)], features=FEATURES, preserve_color="luminance", **tiny.SMALL
        ).pictures
    ),
    "exemplar": lambda picture: (
        jaxstyle.synthesize_texture(
            [picture],
            features=FEATURES,
            size="48",
            initial_iterations=3,
            iterations=2,
            min_size=32,
            style_loss="mean-std",
            style_layers=tiny.TAPS[:3],
        ).pictures
    ),
    "dream": lambda picture: jaxstyle.dream(picture, features=FEATURES, iterations=2, octaves=1).pictures,
}


@pytest.mark.parametrize("kind", MAKERS)
def test_hidden_colours_change_nothing(kind):
    made = [MAKERS[kind](hidden(1, color)) for color in (RED, GREEN, BLACK)]
    np.testing.assert_array_equal(made[0], made[1])
    np.testing.assert_array_equal(made[0], made[2])


def test_hidden_colours_of_a_painting_do_not_move_the_photos_colours():
    made = [
        jaxstyle.stylize(
            tiny.picture(2, 40, 44), [hidden(1, color)], features=FEATURES, preserve_color="histogram", **tiny.SMALL
        ).pictures
        for color in (RED, GREEN)
    ]
    np.testing.assert_array_equal(*made)


@pytest.mark.parametrize("place", ["photo", "painting"])
def test_what_is_invisible_does_not_count_among_the_colours(place):
    """A picture of which the right half is invisible counts as its left half does."""
    rgb, alpha, other = tiny.picture(1, 40, 44), np.zeros((40, 44), np.float32), Picture(tiny.picture(2, 40, 44), None)
    alpha[:, :22] = 1

    def recolored(picture):
        photo, painting = (picture, other) if place == "photo" else (other, picture)
        config, inputs = jaxstyle.StyleTransferConfig(**tiny.SMALL), Inputs(contents=[photo], styles=[painting])
        return StageObjectives(config, None, FEATURES, inputs, [{}]).recolored(photo)[0][:, :22]

    faded, half, opaque = map(recolored, (Picture(rgb, alpha), Picture(rgb[:, :22], None), Picture(rgb, None)))
    np.testing.assert_allclose(faded, half, atol=1e-6)
    assert np.abs(opaque - half).max() > 1e-3


@pytest.mark.parametrize("masked", [False, True])
def test_alpha_is_a_mask_of_the_painting(masked):
    """And multiplies the mask that is given."""
    config = jaxstyle.StyleTransferConfig(**tiny.SMALL)
    rgb, mask = tiny.picture(1, *SHOWN.shape), np.linspace(0, 1, 44, dtype=np.float32) * np.ones((40, 1), np.float32)
    loss = perceptual_loss(config, FEATURES.network)
    stage = stages_of(config, FEATURES.least_side(loss.layers), [(40, 44)])[-1]

    def moments(alpha, masks):
        inputs = Inputs(styles=[Picture(rgb, alpha)], style_masks=masks)
        ((seen, bags),) = StageObjectives(config, loss, FEATURES, inputs, [{}]).seen(loss, stage, [rgb])
        return {**seen, **{f"bag of {layer}": one for layer, one in bags.items()}}

    found = moments(SHOWN, [mask] if masked else [])
    wanted = moments(None, [SHOWN * mask if masked else SHOWN])
    for layer in found:
        for one, other in zip(found[layer], wanted[layer], strict=True):
            np.testing.assert_array_equal(one, other)
    plain = painting_moments(loss, jnp.asarray(rgb), FEATURES.params, None)
    assert np.abs(found["relu1_1"].mean - plain["relu1_1"].mean).max() > 1e-3


def test_an_opaque_alpha_changes_nothing():
    rgb = tiny.picture(1, 40, 44)
    opaque = np.dstack([rgb, np.ones((40, 44), np.float32)])
    photo = tiny.picture(2, 40, 44)
    np.testing.assert_allclose(stylized(opaque, rgb), stylized(rgb, rgb), atol=0)
    np.testing.assert_allclose(stylized(photo, opaque), stylized(photo, rgb), atol=2e-3)  # sums in another order


@pytest.mark.parametrize("place", ["content", "style"])
def test_a_picture_that_is_invisible_is_refused(place):
    nothing, photo = np.zeros((40, 44, 4), np.float32), tiny.picture(2, 40, 44)
    with pytest.raises(JaxstyleError, match=f"{place} is invisible all over"):
        stylized(*((nothing, photo) if place == "content" else (photo, nothing)))
