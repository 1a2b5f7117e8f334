"""The example pictures: the same on every call, rich, colourful, and of the same scene at every size."""

import numpy as np
import pytest

from jaxstyle.errors import JaxstyleError
from jaxstyle.media.examples import EXAMPLES, example
from jaxstyle.media.image_reading import read_picture
from jaxstyle.media.image_resizing import resize

SIZES = {name: example(name, 256) for name in EXAMPLES}


@pytest.mark.parametrize("name", EXAMPLES)
@pytest.mark.parametrize("size", [64, 101])
def test_shape_range_and_repeatability(name, size):
    picture = example(name, size)
    assert picture.dtype == np.float32 and picture.shape == (round(0.75 * size), size, 3)
    assert picture.min() >= 0 and picture.max() <= 1
    np.testing.assert_array_equal(picture, example(name, size))


@pytest.mark.parametrize("name", EXAMPLES)
def test_rich_in_tone_colour_and_edges_at_several_scales(name):
    picture = SIZES[name]
    low, high = np.quantile(picture.mean(axis=-1), [0.02, 0.98])
    assert high - low > 0.4
    assert (picture.max(axis=-1) - picture.min(axis=-1)).mean() > 0.15
    for side in (32, 64, 128, 256):
        small = resize(picture, side * 3 // 4, side)
        assert np.abs(np.diff(small, axis=1)).mean() > 0.03


@pytest.mark.parametrize("name", EXAMPLES)
def test_the_scene_does_not_depend_on_the_size(name):
    small, large = resize(example(name, 128), 24, 32), resize(SIZES[name], 24, 32)
    assert np.abs(small - large).mean() < 0.05


def test_the_lake_mirrors_the_sky_and_the_sky_is_blue():
    picture = SIZES["landscape"]
    sky, grass = picture[5:30, 60:90].mean(axis=(0, 1)), picture[-20:].mean(axis=(0, 1))
    assert sky[2] > sky[0] + 0.1 and grass[1] > grass[2] + 0.1


def test_read_by_name_and_unknown_names():
    picture = read_picture("example:mosaic")
    assert picture.alpha is None and picture.rgb.shape == (384, 512, 3)
    with pytest.raises(JaxstyleError, match="did you mean 'mosaic'"):
        example("mosaics")
