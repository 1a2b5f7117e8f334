"""Small random networks in the layouts in which others publish theirs."""

import re

import numpy as np

from jaxstyle.features.architectures import ARCHITECTURES
from jaxstyle.features.weights import layouts


def network(architecture, width=8, seed=0):
    """Random canonical tensors without the colour map; VGGs `width` wide."""
    rng = np.random.default_rng(seed)
    widths, tensors = {"preprocess": 3}, {}
    for layer in ARCHITECTURES[architecture]:
        inputs = sum(widths[name] for name in layer.inputs)
        out = widths[layer.name] = layer.width or width
        shape = (*layer.size, inputs, out)
        tensors[f"{layer.name}/kernel"] = rng.standard_normal(shape, np.float32)
        tensors[f"{layer.name}/bias"] = rng.standard_normal(out, np.float32)
    return tensors


def with_color_map(tensors, name="unit"):
    kernel, bias = layouts.PREPROCESSING[name]
    return {"preprocess/kernel": kernel, "preprocess/bias": bias, **tensors}


def renamed(tensors, rename, oihw=False):
    """The canonical tensors under the names `rename(layer, leaf)`, with torch's axes where asked for."""
    found = {}
    for name, tensor in tensors.items():
        turned = tensor.transpose(3, 2, 0, 1) if oihw and tensor.ndim == 4 else tensor
        found[rename(*name.rsplit("/", 1))] = np.ascontiguousarray(turned)
    return found


def keras_block(layer):
    return re.sub(r"conv(\d)_(\d)", r"block\1_conv\2", layer)


def keras_1(layer, leaf):
    name = keras_block(layer)
    return f"{name}/{name}_{'W' if leaf == 'kernel' else 'b'}_1:0"


def keras_2(layer, leaf):
    return f"{keras_block(layer)}/{keras_block(layer)}/{leaf}:0"


def keras_3(layer, leaf):
    return f"{keras_block(layer)}/vgg/{keras_block(layer)}/{leaf}"


def keras_squeezenet_1(layer, leaf):
    return f"{layer}/uniform7" if leaf == "kernel" else f"{layer}/{layer}_b"


# As printed in torchvision/models/vgg.py: the positions of the convolutions in `features`.
TORCH_VGG = {
    "vgg16": [0, 2, 5, 7, 10, 12, 14, 17, 19, 21, 24, 26, 28],
    "vgg19": [0, 2, 5, 7, 10, 12, 14, 16, 19, 21, 23, 25, 28, 30, 32, 34],
}
TORCH_FIRES = {"squeezenet1_0": [3, 4, 5, 7, 8, 9, 10, 12], "squeezenet1_1": [3, 4, 6, 7, 9, 10, 11, 12]}


def torchvision(architecture, prefix="features."):
    if architecture.startswith("vgg"):
        order = [layer.name for layer in ARCHITECTURES[architecture]]
        names = {name: f"{prefix}{i}" for name, i in zip(order, TORCH_VGG[architecture], strict=True)}
    else:
        names = {"conv1": "features.0", "conv10": "classifier.1"}
        for fire, i in enumerate(TORCH_FIRES[architecture], 2):
            names[f"fire{fire}/squeeze1x1"] = f"features.{i}.squeeze"
            names |= {f"fire{fire}/{c}": f"features.{i}.{c}" for c in ("expand1x1", "expand3x3")}
    return lambda layer, leaf: f"{names[layer]}.{'weight' if leaf == 'kernel' else 'bias'}"


def hwio_squeezenet(layer, leaf):
    for ours, theirs in [
        ("/squeeze1x1", ".conv1x1_1"),
        ("/expand1x1", ".conv1x1_2"),
        ("/expand3x3", ".conv3x3_2"),
    ]:
        layer = layer.replace(ours, theirs)
    return f"{'conv_final' if layer == 'conv10' else layer}.{leaf}"
