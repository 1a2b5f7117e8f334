"""Photos of many sizes through one compiled program: each comes out as if the network had seen it alone."""

import jax
import numpy as np
import pytest
import tiny
from tiny_models import any_model, known_model, transport_model

from jaxstyle.inference import apply
from jaxstyle.inference.size_buckets import bucket
from jaxstyle.inference.styles import encoder
from jaxstyle.models.adain import Styles


def alone(model, photo, painting):
    """The network itself, applied to one photo in an array of its own size."""
    variables = {"params": model.params}
    seen = model.network.apply(variables, painting[None], method="style_of")
    style = Styles(jax.tree.map(lambda leaf: leaf[:, None], seen), np.ones(1, np.float32))
    return np.clip(model.network.apply(variables, photo[None], np.ones((1, *photo.shape[:2], 1)), style)[0], 0, 1)


@pytest.mark.parametrize("make", [pytest.param(transport_model, marks=pytest.mark.slow), any_model])
def test_what_lies_beyond_a_photo_has_no_effect(make):
    model, painting = make(), tiny.picture(9, 24, 32)
    photos = [tiny.picture(i, *shape) for i, shape in enumerate(((24, 32), (19, 29), (17, 30)))]
    stylizer = apply.Stylizer(model, apply.StyleOptions(painting, style_size=32, devices=1))
    assert len({stylizer.together(*photo.shape[:2]) for photo in photos}) == 1
    programs = [apply.program(model.network, tuple(jax.devices()[:1]), quick) for quick in (True, False)]
    before = [len(each.compiled) for each in programs]
    for made, photo in zip(stylizer(photos), photos, strict=True):
        # Directions of little variance are amplified by transport, and their rounding with them.
        np.testing.assert_allclose(made, alone(model, photo, painting), atol=2e-3 if make is transport_model else 1e-4)
    assert [len(each.compiled) for each in programs] == [before[0] + 1, before[1]]
    encodings = encoder(model.network)._cache_size()
    apply.Stylizer(model, stylizer.options).style_for(24, 32)
    assert encodings and encoder(model.network)._cache_size() == encodings  # compiled once, not for each stylizer
    stylizer.made = apply.FEW  # as after so many pictures: now it pays to compile for speed
    np.testing.assert_allclose(stylizer(photos[:3])[2], made, atol=1e-3)
    assert [len(each.compiled) for each in programs] == [before[0] + 1, before[1] + 1]


def test_which_photos_go_together():
    stylizer = apply.Stylizer(any_model(), apply.StyleOptions(tiny.picture(0, 24, 32)))
    assert stylizer.together(600, 800) == stylizer.together(540, 769) != stylizer.together(600, 640)
    assert stylizer.together(100, 128) != stylizer.together(100, 120)  # paintings are seen as large as the photo
    known = apply.Stylizer(known_model(), apply.StyleOptions("red"))
    assert known.together(600, 800) != known.together(600, 799)
    sides = np.arange(16, 5000)
    made = np.array([bucket(int(side)) for side in sides])
    assert (made >= sides).all() and (made % 16 == 0).all() and (made[sides > 64] <= 1.25 * sides[sides > 64]).all()
    assert len(set(made[(sides > 128) & (sides <= 1024)])) == 12
