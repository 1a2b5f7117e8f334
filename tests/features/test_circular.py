"""Circular padding: rolling a picture by a network's stride rolls its activations."""

import numpy as np
import pytest
from networks import extract, picture, weights

from jaxstyle.features import build

CASES = {
    "vgg16": (("conv5_1", "relu3_2", "pool4"), 16, 16),
    "squeezenet1_0": (("fire5", "conv1", "pool4"), 8, 16),
    "squeezenet1_1": (("fire6", "relu1"), 16, 16),
    "googlenet": (("inception_4a/output", "inception_3a/5x5", "conv2/norm2"), 16, 16),
    "inception_v3": (("mixed_3/conv", "mixed/tower_2/conv", "conv_2"), 16, 16),
}
SLOW = ("googlenet", "inception_v3")  # for their many layers


@pytest.mark.parametrize(
    ("architecture", "pooling"),
    [
        *(pytest.param(name, "max", marks=[pytest.mark.slow] * (name in SLOW)) for name in CASES),
        *[("vgg16", "l2"), ("squeezenet1_0", "average")],
    ],
)
def test_a_rolled_picture_has_rolled_activations(architecture, pooling):
    taps, stride, shift = CASES[architecture]
    features = build("net", weights(architecture), pooling=pooling, padding="circular")
    taps = tuple(tap for tap in taps if tap in features.network.taps)
    assert len(taps) > 1 and features.stride(taps) == stride
    image = picture(48, 64)
    activations, rolled = (extract(features, x, taps)[1] for x in (image, np.roll(image, (shift, -shift), (1, 2))))
    for name, activation in activations.items():
        step = image.shape[1] // activation.shape[1]
        assert activation.shape[1:3] == (48 // step, 64 // step)
        expected = np.roll(activation, (shift // step, -shift // step), (1, 2))
        np.testing.assert_allclose(rolled[name], expected, atol=1e-5 * np.abs(expected).max(), err_msg=name)
    halfway = extract(features, np.roll(image, 1, 1), taps)[1][taps[0]]
    assert not np.allclose(halfway, activations[taps[0]], atol=1e-3 * np.abs(halfway).max())
