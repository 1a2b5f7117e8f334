"""Layouts: how the weight files of other projects name and order their tensors.

A layout is a pattern that splits a tensor's name into layer and leaf, a table of the file's layers to the canonical
ones (`architectures.py`), the order of the kernel's axes, and the network's preprocessing. `recognition.py` finds the
layout of a file.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import NamedTuple

import numpy as np

from jaxstyle.features.architectures import ARCHITECTURES, PREPROCESS, VGG_BLOCKS
from jaxstyle.features.inception_plan import BLOCKS, FIGURE_5, FIGURE_6, FIGURE_7, LAST, REDUCE_17, REDUCE_35


def _mean_subtracted_bgr(*mean: float) -> tuple[np.ndarray, np.ndarray]:
    """Caffe's preprocessing: BGR in 0 to 255 minus a mean, given as B, G, R."""
    return 255 * np.eye(3, dtype=np.float32)[:, ::-1], -np.array(mean, np.float32)


# torchvision's, for RGB in [0, 1].
_MEAN, _STD = np.array([0.485, 0.456, 0.406]), np.array([0.229, 0.224, 0.225])

# The affine colour maps `y = x @ kernel + bias` of RGB in [0, 1].
PREPROCESSING: dict[str, tuple[np.ndarray, np.ndarray]] = {
    "caffe": _mean_subtracted_bgr(103.939, 116.779, 123.68),
    "caffe-rgb": (255 * np.eye(3, dtype=np.float32), -np.array((123.68, 116.779, 103.939), np.float32)),
    "caffe-rounded": _mean_subtracted_bgr(104, 117, 123),
    "torchvision": (np.diag(1 / _STD).astype(np.float32), (-_MEAN / _STD).astype(np.float32)),
    "unit": (2 * np.eye(3, dtype=np.float32), -np.ones(3, np.float32)),
}

LEAVES = {
    "kernel": "kernel",
    "weight": "kernel",
    "W": "kernel",
    "uniform": "kernel",
    "bias": "bias",
    "b": "bias",
    "weights": "kernel",
    "biases": "bias",
    "w": "kernel",
    "filters": "kernel",
}

MATCONVNET = re.compile(r"layers\.(?P<layer>.+)\.(?P<leaf>filters|biases)")
SLASHED = re.compile(r"(?P<layer>.+)/(?P<leaf>kernel|bias)")
DOTTED = re.compile(r"(?P<layer>.+)\.(?P<leaf>kernel|weight|bias)")
# conv1/7x7_s2/weights, conv1/7x7_s2_w: Caffe numbers the tensors of a layer; converters name them.
CAFFE = re.compile(r"(?P<layer>.+?)[/_.](?P<leaf>weights?|bias(?:es)?|w|b)")
# block1_conv1/block1_conv1_W_1:0, block1_conv1/block1_conv1/kernel:0, vgg19/block1_conv1/kernel,
# conv1/uniform1, fire2/expand1x1/fire2/expand1x1_b: Keras has changed its names several times.
KERAS = re.compile(
    r"(?:[^/]+/)*?(?P<layer>block\d_conv\d|conv\d+|fire\d/\w+?)"
    r"/(?:.*/)?(?:\w*?_)?(?P<leaf>kernel|bias|uniform|W|b)\d*(?:_\d+)?(?::0)?"
)


class Layout(NamedTuple):
    """The names and axes of one architecture's tensors in one family of files.

    Attributes:
      name: Name in messages and metadata.
      architecture: A key of `ARCHITECTURES`.
      pattern: Splits a tensor's name into `layer` and `leaf`.
      layers: Dict of a layer's name in the file to its canonical name.
      preprocessing: A key of `PREPROCESSING`; None where the file carries its own colour map.
      oihw: Whether kernels are [out, in, h, w] (torch) instead of [h, w, in, out].
      ceil_pooling: Whether the network was trained with pools that round their size up.
      dropped: Pattern of names of tensors that feature extraction does not need.
      batch_norm: The epsilon of batch norms that are folded into the convolutions before them (`X.conv` and `X.bn`
        become `X`, `features.0` and `features.1` become `features.1`); 0 where there are none.
    """

    name: str
    architecture: str
    pattern: re.Pattern[str]
    layers: Mapping[str, str]
    preprocessing: str | None = None
    oihw: bool = False
    ceil_pooling: bool = False
    dropped: re.Pattern[str] = re.compile(r"(?!)")  # matches nothing
    batch_norm: float = 0.0


def _names(architecture: str) -> list[str]:
    return [layer.name for layer in ARCHITECTURES[architecture]]


def _torchvision_vgg(blocks: tuple[int, ...], normed: int) -> dict[str, str]:
    """torchvision's numbers in `features`, where a ReLU follows each convolution and a pool each block.

    Where there are batch norms, `normed` 1, one stands between the two, and the number is its.
    """
    layers, index = {}, normed
    for i, count in enumerate(blocks, 1):
        for j in range(1, count + 1):
            # Without the prefix for a state_dict of `vgg.features` alone.
            layers[f"features.{index}"] = layers[str(index)] = f"conv{i}_{j}"
            index += 2 + normed
        index += 1
    return layers


def _fires(pattern: str, leaves: Mapping[str, str], numbers: Mapping[int, int] | None = None) -> dict[str, str]:
    """The fire modules' convolutions by their names in the file, given by `pattern`.

    In the pattern `{n}` is the module's number in the file, a key of `numbers`, and `{c}` the convolution's name, a key
    of `leaves`.
    """
    numbers = numbers or {i: i for i in range(2, 10)}
    return {
        pattern.format(n=n, c=theirs): f"fire{i}/{ours}" for n, i in numbers.items() for theirs, ours in leaves.items()
    }


_PLAIN_FIRE = {"squeeze1x1": "squeeze1x1", "expand1x1": "expand1x1", "expand3x3": "expand3x3"}
_TORCH_FIRE = {"squeeze": "squeeze1x1", "expand1x1": "expand1x1", "expand3x3": "expand3x3"}
_SIZED_FIRE = {"conv1x1_1": "squeeze1x1", "conv1x1_2": "expand1x1", "conv3x3_2": "expand3x3"}
# Indices of the fire modules in torchvision's `features`, which also count the pools.
_TORCH_1_0 = dict(zip((3, 4, 5, 7, 8, 9, 10, 12), range(2, 10), strict=True))
_TORCH_1_1 = dict(zip((3, 4, 6, 7, 9, 10, 11, 12), range(2, 10), strict=True))
_TORCH_ENDS = {"features.0": "conv1", "classifier.1": "conv10"}
_KERAS_SQUEEZENET = {"conv1": "conv1", "conv10": "conv10"} | _fires("fire{n}/{c}", _PLAIN_FIRE)

_UNDERSCORED = {name.replace("/", "_"): name for name in _names("googlenet")}

# torchvision's names of a block's convolutions, in the order of the plan.
_TORCH_BRANCHES = {
    FIGURE_5: "1x1 5x5_1 5x5_2 3x3dbl_1 3x3dbl_2 3x3dbl_3 _pool",
    REDUCE_35: "3x3 3x3dbl_1 3x3dbl_2 3x3dbl_3",
    FIGURE_6: "1x1 7x7_1 7x7_2 7x7_3 7x7dbl_1 7x7dbl_2 7x7dbl_3 7x7dbl_4 7x7dbl_5 _pool",
    REDUCE_17: "3x3_1 3x3_2 7x7x3_1 7x7x3_2 7x7x3_3 7x7x3_4",
    FIGURE_7: "1x1 3x3_1 3x3_2a 3x3_2b 3x3dbl_1 3x3dbl_2 3x3dbl_3a 3x3dbl_3b _pool",
}
_TORCH_BRANCHES[LAST] = _TORCH_BRANCHES[FIGURE_7]


def _torchvision_inception() -> dict[str, str]:
    """torchvision numbers the blocks after the paper's table 1: `Mixed_5b` to `Mixed_7c`."""
    stem = ("Conv2d_1a_3x3", "Conv2d_2a_3x3", "Conv2d_2b_3x3", "Conv2d_3b_1x1", "Conv2d_4a_3x3")
    blocks = zip(("5b", "5c", "5d", "6a", "6b", "6c", "6d", "6e", "7a", "7b", "7c"), BLOCKS.values(), strict=True)
    branches = [f"Mixed_{name}.branch{branch}" for name, block in blocks for branch in _TORCH_BRANCHES[block].split()]
    return dict(zip((*stem, *branches, "fc"), _names("inception_v3"), strict=True))


LAYOUTS: tuple[Layout, ...] = (
    *(Layout("jaxstyle", a, SLASHED, {name: name for name in (PREPROCESS, *_names(a))}) for a in ARCHITECTURES),
    *(
        Layout(
            "keras",
            a,
            KERAS,
            {name.replace("conv", "block").replace("_", "_conv"): name for name in _names(a)},
            "caffe",
            dropped=re.compile(r"(?:.*/)?(?:fc1|fc2|predictions)/.*"),
        )
        for a in VGG_BLOCKS
    ),
    *(
        Layout(
            "torchvision",
            a,
            DOTTED,
            _torchvision_vgg(blocks, normed),
            "torchvision",
            True,
            dropped=re.compile(r"classifier\..*"),
            batch_norm=1e-5 * normed,
        )
        for normed in (0, 1)
        for a, blocks in VGG_BLOCKS.items()
    ),
    # The .caffemodel of Simonyan and Zisserman, and Gatys' vgg_conv.pth.
    *(
        Layout("caffe", a, CAFFE, {n: n for n in _names(a)}, "caffe", True, dropped=re.compile(r"fc\d[/.].*"))
        for a in VGG_BLOCKS
    ),
    # imagenet-vgg-verydeep-19.mat; utils/import-caffe.py of MatConvNet turns the first filters to RGB.
    *(
        Layout(
            "matconvnet",
            a,
            MATCONVNET,
            {name: name for name in _names(a)},
            "caffe-rgb",
            dropped=re.compile(r"layers\.fc\d\..*"),
        )
        for a in VGG_BLOCKS
    ),
    # MingSun-Tse/Collaborative-Distillation; its 1x1 `_aux` heads are for training alone.
    Layout(
        "distilled",
        "vgg19",
        DOTTED,
        {"conv0": PREPROCESS} | {name.replace("_", ""): name for name in _names("vgg19")},
        oihw=True,
        dropped=re.compile(r"conv\d1_aux\..*"),
    ),
    Layout("keras", "squeezenet1_1", KERAS, _KERAS_SQUEEZENET, "caffe"),
    Layout("keras", "squeezenet1_0", KERAS, _KERAS_SQUEEZENET, "caffe"),
    # Converted from songhan/SqueezeNet-Deep-Compression, in the naming of the Caffe model's TensorFlow ports.
    Layout(
        "squeezenet-hwio",
        "squeezenet1_0",
        DOTTED,
        {"conv1": "conv1", "conv_final": "conv10"} | _fires("fire{n}.{c}", _SIZED_FIRE),
        "caffe-rounded",
        ceil_pooling=True,
    ),
    *(
        Layout(
            "torchvision",
            a,
            DOTTED,
            _TORCH_ENDS | _fires("features.{n}.{c}", _TORCH_FIRE, n),
            "torchvision",
            True,
            True,
        )
        for a, n in (("squeezenet1_1", _TORCH_1_1), ("squeezenet1_0", _TORCH_1_0))
    ),
    # bvlc_googlenet, with its two auxiliary classifiers or without: under the names of Caffe and Caffe2, and of
    # ProGamerGov/neural-dream, where MMdnn replaced slashes by underscores.
    *(
        Layout(name, "googlenet", pattern, layers, "caffe-rounded", True, True, re.compile(r"loss[12][/_].*"))
        for name, pattern, layers in (
            ("caffe", CAFFE, {name: name for name in _names("googlenet")}),
            ("neural-dream", DOTTED, _UNDERSCORED | {"loss3_classifier_1": "loss3/classifier"}),
        )
    ),
    # TensorFlow's names, with batch normalisations folded in.
    Layout(
        "inception-hwio",
        "inception_v3",
        DOTTED,
        {name.replace("/", "_"): name for name in _names("inception_v3")},
        "unit",
    ),
    # pytorch-fid's checkpoint of TensorFlow's weights of 2015 has torchvision's names, too.
    Layout(
        "torchvision",
        "inception_v3",
        DOTTED,
        _torchvision_inception(),
        "unit",
        True,
        dropped=re.compile(r"AuxLogits\..*"),
        batch_norm=1e-3,
    ),
)
