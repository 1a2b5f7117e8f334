"""Feature extractors for tests: random ones of every architecture, and the first layers of the real VGG-19."""

import jax
import numpy as np

from jaxstyle.features.architectures import ARCHITECTURES
from jaxstyle.features.features import build
from jaxstyle.features.weights.files import Weights
from jaxstyle.features.weights.layouts import PREPROCESSING

SQUEEZENETS = {
    "squeezenet1_0": {"pool_after": (1, 4, 8), "classifier_pad": 1},
    "squeezenet1_1": {"pool_after": (1, 3, 5), "classifier_pad": 0},
}


def weights(architecture, until=None, seed=0, ceil_pooling=False):
    """Random weights that keep the activations' scale; VGGs get widths 3, 4, 5, …; `until` is the last layer."""
    rng, widths, tensors = np.random.default_rng(seed), {"preprocess": 3}, {}
    tensors["preprocess/kernel"] = rng.normal(size=(3, 3)).astype(np.float32)
    tensors["preprocess/bias"] = rng.normal(size=3).astype(np.float32)
    for i, layer in enumerate(ARCHITECTURES[architecture], 3):
        inputs = sum(widths[name] for name in layer.inputs)
        out = widths[layer.name] = layer.width or i
        deviation = np.sqrt(2 / (inputs * np.prod(layer.size)))
        kernel = rng.normal(0, deviation, (*layer.size, inputs, out))
        tensors[f"{layer.name}/kernel"] = kernel.astype(np.float32)
        tensors[f"{layer.name}/bias"] = rng.normal(0.1, 0.2, out).astype(np.float32)
        if layer.name == until:
            break
    return Weights(architecture, tensors, ceil_pooling)


def picture(height, width, seed=0):
    return np.random.default_rng(seed).uniform(size=(1, height, width, 3)).astype(np.float32)


def extract(features, image, taps=None):
    """All taps, or those asked for, by one compiled program, which is faster than eager ones."""
    return jax.jit(lambda params, image: features.network.apply({"params": params}, image, taps))(
        features.params, image
    )


VGG19_BEGINNING = {
    "conv1_1": (3, 64),
    "conv1_2": (64, 64),
    "conv2_1": (64, 128),
    "conv2_2": (128, 128),
    "conv3_1": (128, 256),
}


def raw_vgg19(path):
    """The first layers of the original VGG-19 from a headerless file: per layer the kernel OIHW, then the bias."""
    values, tensors = np.fromfile(path, "<f4"), {}
    for name, (inputs, outputs) in VGG19_BEGINNING.items():
        kernel, bias, values = np.split(values, np.cumsum([outputs * inputs * 9, outputs]))
        tensors[f"{name}/kernel"] = kernel.reshape(outputs, inputs, 3, 3).transpose(2, 3, 1, 0)
        tensors[f"{name}/bias"] = bias
    assert values.size == 0
    return tensors


def real_vgg19(real_data, padding):
    """The original VGG-19 as far as relu3_1."""
    tensors = raw_vgg19(real_data / "features" / "vgg19_original_relu3_1" / "vgg19.model")
    kernel, bias = PREPROCESSING["caffe"]
    weights = Weights("vgg19", {"preprocess/kernel": kernel, "preprocess/bias": bias, **tensors})
    return build("vgg19", weights, padding=padding)
