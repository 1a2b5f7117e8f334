"""Settings of datasets."""

import json

import pytest
from ml_collections import ConfigDict

from jaxstyle.data.config import DataConfig
from jaxstyle.errors import JaxstyleError
from jaxstyle.runtime.settings import FLAG, spelled
from jaxstyle.training.config import TrainingConfig, as_config


def test_recipes_have_these_settings_also_after_json():
    config = as_config(TrainingConfig()).data
    config.update(folder="pets", mask_classes=("a", "b"), mask_values=(0, 255))
    restored = ConfigDict(json.loads(config.to_json()))
    assert DataConfig.of(restored) == DataConfig(folder="pets", mask_classes=("a", "b"), mask_values=(0, 255))


@pytest.mark.parametrize(
    ("settings", "sentence"),
    [
        ({"held_out": 0.0}, "data.held_out is 0; it must be between 0 and 1"),
        ({"held_out": 0.3}, "data.held_out is for folders of pictures"),
        ({"size": -1}, "data.size '-1' is neither a number of pixels nor WIDTHxHEIGHT"),
        ({"size": "0x3"}, "data.size is 0x3; a side has at least 1 pixel"),
        ({"fit": "pad"}, "data.fit is 'pad', but data.size names no size"),
        ({"fit": "padd", "size": 3}, "data.fit 'padd' is unknown; did you mean 'pad'"),
        ({"channels": 4}, "data.channels is for folders of pictures"),
        ({"folder": "x", "channels": 17}, "data.channels is 17; it must be 1, 3 or 4, or up to 16 of TIFFs"),
        ({"folder": "x", "white": 0}, "data.white is 0; it must be from 1 to 65535"),
        ({"bad_pictures": "skp"}, "data.bad_pictures 'skp' is unknown; did you mean 'skip'"),
        ({"bad_pictures": "skip"}, "data.bad_pictures is for folders of pictures"),
        ({"folder": "x", "mask_suffix": "_m"}, "data.mask_suffix is set, but data.mask_classes names no classes"),
        ({"foldr": "x"}, "there is no setting data.foldr; did you mean 'folder'"),
    ],
)
def test_settings_that_cannot_be(settings, sentence):
    with pytest.raises(JaxstyleError, match=sentence):
        DataConfig.of(settings)
    with spelled(FLAG), pytest.raises(JaxstyleError, match=sentence.replace("data.", "--config.data.")):
        DataConfig.of(settings)
