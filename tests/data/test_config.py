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
        ({"size": -1}, "data.size is -1; it must be at least 0"),
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
