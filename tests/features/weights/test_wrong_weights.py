"""Every kind of wrong file is listed tensor by tensor."""

import numpy as np
import pytest
from foreign_weights import keras_2, network, renamed, with_color_map

from jaxstyle.errors import JaxstyleError
from jaxstyle.features.weights.recognition import convert


def without(name):
    return lambda t: t.pop(name)


def put(name, value):
    return lambda t: t.__setitem__(name, value)


def poisoned(name, value):
    return lambda t: t[name].__setitem__((0,) * t[name].ndim, value)


WRONG = {
    "gap": (without("conv3_2/kernel"), "conv3_2/kernel is missing"),
    "no bias": (without("conv1_1/bias"), "conv1_1/bias is missing"),
    "no colour map": (without("preprocess/bias"), "preprocess/bias is missing"),
    "extra": (
        put("conv6_1/kernel", np.ones((3, 3, 8, 8), np.float32)),
        "conv6_1/kernel is not part of vgg19",
    ),
    "rank": (put("conv2_1/kernel", np.ones((8, 8), np.float32)), r"conv2_1/kernel has shape \[8, 8\]"),
    "no channels": (put("conv5_4/kernel", np.ones((3, 3, 8, 0), np.float32)), "conv5_4/kernel has shape"),
    "size": (put("conv2_1/kernel", np.ones((5, 5, 8, 8), np.float32)), "conv2_1/kernel is 5x5, not 3x3"),
    "bias": (put("conv2_1/bias", np.ones(7, np.float32)), r"conv2_1/bias has shape \[7\], its kernel has 8"),
    "chain": (
        put("conv4_2/kernel", np.ones((3, 3, 4, 8), np.float32)),
        "conv4_2/kernel takes 4 inputs, but gets 8 from conv4_1",
    ),
    "colours": (
        put("conv1_1/kernel", np.ones((3, 3, 1, 8), np.float32)),
        "conv1_1/kernel takes 1 inputs, but gets 3 from preprocess",
    ),
    "colour map": (
        put("preprocess/kernel", np.ones((3, 4), np.float32)),
        r"preprocess/kernel has shape \[3, 4\]",
    ),
    "NaN": (poisoned("conv5_1/kernel", np.nan), "conv5_1/kernel has NaN or infinite values"),
    "infinite": (poisoned("conv5_1/bias", -np.inf), "conv5_1/bias has NaN or infinite values"),
    "too large": (put("conv5_4/bias", np.full(8, 1e300)), "conv5_4/bias has NaN or infinite values"),
    "whole numbers": (put("conv5_4/bias", np.ones(8, np.int64)), "conv5_4/bias is int64, not floating point"),
}


@pytest.mark.parametrize("case", WRONG)
def test_a_wrong_tensor_is_named_with_what_is_wrong(case):
    change, sentence = WRONG[case]
    tensors = with_color_map(network("vgg19"))
    change(tensors)
    with pytest.raises(JaxstyleError, match=f"not a whole vgg19 in the jaxstyle layout: {sentence}[^;]*$"):
        convert(tensors, {})


def test_all_problems_are_listed_up_to_a_limit():
    tensors = with_color_map(network("vgg19"))
    for name in ("conv1_1/bias", "conv2_2/kernel", "conv4_4/bias"):
        del tensors[name]
    with pytest.raises(JaxstyleError) as error:
        convert(tensors, {})
    assert str(error.value).count(" is missing") == 3
    for name in [name for name in tensors if name.endswith("bias")]:
        tensors[name] = tensors[name] * np.nan
    with pytest.raises(JaxstyleError, match=r"; and 10 more$") as error:
        convert(tensors, {})
    assert str(error.value).count(";") == 8


def test_a_squeezenet_of_other_widths_is_refused():
    tensors = with_color_map(network("squeezenet1_1"))
    tensors["conv10/kernel"], tensors["conv10/bias"] = (
        np.ones((1, 1, 512, 10), np.float32),
        np.ones(10, np.float32),
    )
    with pytest.raises(JaxstyleError, match="conv10 has 10 outputs, not 1000"):
        convert(tensors, {})


def test_a_tensor_given_twice_is_refused():
    theirs = renamed(network("vgg19"), keras_2)
    theirs["again/block1_conv1/kernel:0"] = theirs["block1_conv1/block1_conv1/kernel:0"]
    with pytest.raises(JaxstyleError, match="again/block1_conv1/kernel:0 gives conv1_1/kernel a second time"):
        convert(theirs, {})


def test_an_unknown_networks_names_are_listed():
    with pytest.raises(JaxstyleError, match=r"in no layout known here.*'layer1.0.conv1.weight'"):
        convert({f"layer1.{i}.conv1.weight": np.ones((8, 8, 3, 3), np.float32) for i in range(5)}, {})


@pytest.mark.parametrize(
    ("key", "value", "sentence"),
    [
        ("version", "2", "version '2'"),
        ("architecture", "vgg18", "unknown architecture 'vgg18'; did you mean 'vgg1"),
    ],
)
def test_a_file_of_a_later_jaxstyle_is_refused(key, value, sentence):
    metadata = {"format": "jaxstyle-features", "version": "1", "architecture": "vgg19"} | {key: value}
    with pytest.raises(JaxstyleError, match=sentence):
        convert(with_color_map(network("vgg19")), metadata)
