"""Converters of published networks to style models."""

from __future__ import annotations

import os
import pathlib
import re
from collections.abc import Iterator
from typing import Any

import flax.traverse_util
import numpy as np

from jaxstyle.errors import JaxstyleError
from jaxstyle.features.weights.readers import read_tensors
from jaxstyle.inference.model_config import Network, is_workdir
from jaxstyle.inference.style_model import StyleModel, load_model, one_way
from jaxstyle.models.adain import AdaIN
from jaxstyle.models.padded_network import PaddedNetwork
from jaxstyle.models.residual_generator import ResidualGenerator
from jaxstyle.models.style_network import Layer, StyleNetwork
from jaxstyle.runtime.buckets import in_bucket
from jaxstyle.runtime.regular import check_regular

MAGENTA_LAST = "transformer_expand_conv3_conv_InstanceNorm_beta"  # whose size gives the number of styles
WIDTH, BLOCKS = 32, 5
GENERATOR_BLOCK = ".conv_block."  # in names of CycleGAN's generators
TENSORFLOW_LAST = "Variable_47"  # of the network of lengstrom's fast-style-transfer
IMAGENET = np.array((0.485, 0.456, 0.406)), np.array((0.229, 0.224, 0.225))  # mean and deviation of RGB
ENCODER, DECODER = "vgg_normalised.pth", "decoder.pth"  # as naoto0804/pytorch-AdaIN calls them
ADAIN_BLOCKS = (2, 2, 4, 1)  # convolutions of VGG-19 as far as relu4_1
Tensors = dict[str, np.ndarray]


def convert(source: str | os.PathLike, direction: str = "") -> StyleModel:
    """Makes a style model of published weights, or of a training.

    Args:
      source: A folder of magenta's `image_stylization` weights, one raw float32 file an array, kernels OHWI; a
        checkpoint of pytorch/examples' `fast_neural_style`, of gordicaleksa's pytorch-neural-style-transfer-johnson, or
        of lengstrom's fast-style-transfer (`wave.ckpt`); a residual generator's of pytorch-CycleGAN-and-pix2pix
        (`latest_net_G_A.pth`); a folder with pytorch-AdaIN's `vgg_normalised.pth` and `decoder.pth`; or the workdir of
        a training. Checkpoints may be wrapped (`readers.unwrapped`).
      direction: Of the workdir of a translation; see `load_model`.

    Returns:
      The model; its styles are named `"style0"` and so on, or after the checkpoint or the paintings.

    Raises:
      JaxstyleError: It is none of these, or not whole.
    """
    path = pathlib.Path(source)
    if in_bucket(source) or is_workdir(path):
        return load_model(source, direction)
    if direction:
        raise one_way(source, direction)
    network: Network
    names: tuple[str, ...] = ()
    if os.path.isdir(path) and (path / DECODER).exists():
        network, tensors = read_adain(path)
        notes = {"layout": "pytorch-AdaIN"}
    elif os.path.isdir(path):
        network, tensors = read_magenta(path)
        names = tuple(f"style{i}" for i in range(network.styles))
        notes = {"layout": "magenta"}
    else:
        found, _ = read_tensors(path)
        layout, read = recognized(found)
        network, tensors = read(path, found)
        names, notes = (path.stem,), {"layout": layout}
    model = StyleModel(network, flax.traverse_util.unflatten_dict(tensors, sep="/"), names, notes)
    try:
        model.check()
    except JaxstyleError as error:
        raise JaxstyleError(f"{str(source)!r}: {error}") from error
    return model


def recognized(found: Tensors) -> tuple[str, Any]:
    """The layout of a checkpoint by its tensors' names, and the function that reads it."""
    if any(GENERATOR_BLOCK in name for name in found):
        return "pytorch-CycleGAN", read_generator
    if TENSORFLOW_LAST in found:
        return "fast-style-transfer", read_tensorflow
    return "pytorch-johnson" if "up3.conv2d.weight" in found else "pytorch-examples", read_torch


def read_magenta(folder: pathlib.Path) -> tuple[StyleNetwork, Tensors]:
    """Reads magenta's arrays, whose files have no shapes; names are those of its `model.py`."""
    try:
        styles = (folder / MAGENTA_LAST).stat().st_size // (4 * 3)
    except OSError:
        raise JaxstyleError(
            f"{str(folder)!r} is not a folder of magenta's weights: it has no file {MAGENTA_LAST!r}"
        ) from None
    network = StyleNetwork(styles, WIDTH, BLOCKS, "sigmoid")
    tensors, inputs = {}, 3
    for layer in network.plan:
        name, norm = magenta_name(layer), (styles, layer.features)
        kernel = raw(folder / f"{name}_weights", (layer.features, layer.size, layer.size, inputs))
        tensors[f"{layer.name}/kernel"] = kernel.transpose(1, 2, 3, 0)
        tensors[f"{layer.name}/gamma"] = raw(folder / f"{name}_InstanceNorm_gamma", norm)
        tensors[f"{layer.name}/beta"] = raw(folder / f"{name}_InstanceNorm_beta", norm)
        inputs = layer.features
    return network, tensors


def magenta_name(layer: Layer) -> str:
    """Magenta's name of a layer: `transformer_residual_residual2_conv1` for `residual2_1`, and so on."""
    if found := re.fullmatch(r"residual(\d+)_(\d)", layer.name):
        return f"transformer_residual_residual{found[1]}_conv{found[2]}"
    part, number = layer.name[:-1], layer.name[-1]
    return f"transformer_{part}_conv{number}" + ("_conv" if part == "expand" else "")


def raw(path: pathlib.Path, shape: tuple[int, ...]) -> np.ndarray:
    """Reads a headerless little-endian float32 file."""
    try:
        check_regular(path)
        data = path.read_bytes()
    except OSError as error:
        raise JaxstyleError(f"{str(path)!r} cannot be read ({error.strerror}); copy the folder again") from error
    if len(data) != 4 * int(np.prod(shape)):
        raise JaxstyleError(f"{str(path)!r} has {len(data)} bytes, and {shape} float32 take {4 * int(np.prod(shape))}")
    return np.frombuffer(data, "<f4").reshape(shape).astype(np.float32)


def read_torch(path: pathlib.Path, found: Tensors) -> tuple[StyleNetwork, Tensors]:
    """Converts a checkpoint of pytorch/examples' `TransformerNet`, which maps RGB in 0 to 255 to the same.

    Gordicaleksa's maps RGB minus ImageNet's mean, divided by its deviation, to the same. The first and last layers are
    scaled for RGB in [0, 1]. Biases before an instance normalisation, which removes them, are left out, and so are the
    unused running statistics of old checkpoints.
    """
    standard = "up3.conv2d.weight" in found
    if not standard and "deconv3.conv2d.weight" not in found:
        raise JaxstyleError(
            f"{str(path)!r} is not a style network of pytorch/examples, gordicaleksa or lengstrom: it has no "
            "deconv3.conv2d.weight"
        )
    mean, deviation = IMAGENET if standard else (np.zeros(3), np.full(3, 1 / 255))
    network = StyleNetwork(1, WIDTH, BLOCKS, "linear")
    tensors = {}
    try:
        for layer, convolution, norm in torch_names(network, standard):
            tensors[f"{layer.name}/kernel"] = found[f"{convolution}.weight"].transpose(2, 3, 1, 0)
            if layer.normed:
                tensors[f"{layer.name}/gamma"] = found[f"{norm}.weight"][None]
                tensors[f"{layer.name}/beta"] = found[f"{norm}.bias"][None]
            else:
                tensors[f"{layer.name}/bias"] = found[f"{convolution}.bias"] * deviation + mean
    except (KeyError, ValueError) as error:
        raise JaxstyleError(f"{str(path)!r} is not a whole style network of pytorch/examples: {error}") from error
    tensors["contract1/kernel"] = tensors["contract1/kernel"] / deviation[:, None]
    tensors["expand3/kernel"] = tensors["expand3/kernel"] * deviation
    return network, {name: np.ascontiguousarray(tensor, np.float32) for name, tensor in tensors.items()}


def read_generator(path: pathlib.Path, found: Tensors) -> tuple[ResidualGenerator, Tensors]:
    """Converts a `ResnetGenerator` of junyanz/pytorch-CycleGAN-and-pix2pix with instance normalisation, its default.

    It maps [-1, 1] to the same. The first kernel is doubled for pictures in [0, 1]: what that adds to every pixel, as
    all biases before a normalisation, the normalisation removes.
    """
    places = {tuple(map(int, re.findall(r"\d+", name))): name for name in found if found[name].ndim == 4}
    kernels, blocks = [found[places[place]] for place in sorted(places)], (len(places) - 6) // 2
    inside = [10 + i // 2 for i in range(2 * blocks)]
    whole = [place[0] for place in sorted(places)] == [1, 4, 7, *inside, 10 + blocks, 13 + blocks, 17 + blocks]
    if not whole or any(name.endswith("running_mean") for name in found):
        raise JaxstyleError(
            f"{str(path)!r} is not a whole residual generator of pytorch-CycleGAN with instance normalisation, which "
            "alone can be converted"
        )
    network = ResidualGenerator(width=len(kernels[0]), blocks=blocks)
    tensors = {}
    for layer, kernel in zip(network.plan, kernels, strict=False):
        axes = (2, 3, 0, 1) if layer.scale == 2 else (2, 3, 1, 0)  # transposed convolutions have inputs first
        tensors[f"{layer.name}/kernel"] = kernel.transpose(axes)
        if layer.normed:
            tensors[f"{layer.name}/gamma"] = np.ones((1, layer.features))
            tensors[f"{layer.name}/beta"] = np.zeros((1, layer.features))
        else:
            tensors[f"{layer.name}/bias"] = found[places[max(places)].replace("weight", "bias")]
    tensors["contract1/kernel"] = 2 * tensors["contract1/kernel"]
    return network, {name: np.ascontiguousarray(tensor, np.float32) for name, tensor in tensors.items()}


def torch_names(network: StyleNetwork, standard: bool) -> Iterator[tuple[Layer, str, str]]:
    """Yields each layer, and the names of its convolution and normalisation in `transformer_net.py`.

    Args:
      network: Whose layers.
      standard: Whether the file is gordicaleksa's.
    """
    for layer in network.plan:
        number = int(layer.name[-1])
        if found := re.fullmatch(r"residual(\d+)_(\d)", layer.name):
            name, norm = f"res{found[1]}.conv{found[2]}", f"res{found[1]}.in{found[2]}"
        elif layer.name.startswith("contract"):
            name, norm = f"conv{number}", f"in{number}"
        else:
            name, norm = f"{'up' if standard else 'deconv'}{number}", f"in{number + 3}"
        yield layer, f"{name}.conv2d" + (".conv2d" if standard and layer.scale == 2 else ""), norm


def read_tensorflow(path: pathlib.Path, found: Tensors) -> tuple[PaddedNetwork, Tensors]:
    """Converts a checkpoint of lengstrom's fast-style-transfer, which maps RGB in 0 to 255 to the same.

    A layer is three variables, numbered as they were made: kernel, shift and scale. Its normalisations add 1e-3 to
    variances, these 1e-5: kernels, which they make up for, are a tenth.
    """
    tensors: Tensors = {}
    try:
        network = PaddedNetwork(width=found["Variable"].shape[-1], blocks=BLOCKS)
        for number, layer in enumerate(network.plan):
            kernel, beta, gamma = (found[f"Variable_{3 * number + i}".removesuffix("_0")] for i in range(3))
            if layer.scale == 2:  # outputs first
                kernel = kernel.swapaxes(2, 3)
            before = layer.size - len(kernel)
            kernel = np.pad(kernel, ((before, 0), (before, 0), (0, 0), (0, 0))) * (25.5 if number == 0 else 0.1)
            tensors |= {f"{layer.name}/kernel": kernel, f"{layer.name}/beta": beta[None]}
            tensors[f"{layer.name}/gamma"] = gamma[None]
    except (IndexError, KeyError, ValueError) as error:
        raise JaxstyleError(f"{str(path)!r} is not a whole network of fast-style-transfer: {error}") from error
    return network, {name: np.ascontiguousarray(tensor, np.float32) for name, tensor in tensors.items()}


def read_adain(folder: pathlib.Path) -> tuple[AdaIN, Tensors]:
    """Reads naoto0804/pytorch-AdaIN's two files, whose layers are numbered (`net.py`).

    pytorch-AdaIN divides variances by one less than the number of positions, `AdaIN` by the number.
    """
    if not (folder / ENCODER).exists():
        raise JaxstyleError(
            f"{str(folder)!r} has a {DECODER} and no {ENCODER}: put both of pytorch-AdaIN's files there"
        )
    count = sum(ADAIN_BLOCKS)
    color, *encoder = convolutions(folder / ENCODER, 1 + count)
    outputs = iter(len(bias) for _, bias in encoder)
    widths = tuple(tuple(next(outputs) for _ in range(block)) for block in ADAIN_BLOCKS)
    places = [f"conv{i}_{j}" for i, block in enumerate(ADAIN_BLOCKS, 1) for j in range(1, block + 1)]
    named = [(f"encoder/{place}", layer) for place, layer in zip(places, encoder, strict=True)]
    named += [(f"decoder_{i}", layer) for i, layer in enumerate(convolutions(folder / DECODER, count))]
    tensors = {"encoder/preprocess/kernel": color[0][0, 0], "encoder/preprocess/bias": color[1]}
    for name, (kernel, bias) in named:
        tensors |= {f"{name}/kernel": kernel, f"{name}/bias": bias}
    return AdaIN(widths), tensors


def convolutions(path: pathlib.Path, count: int) -> list[tuple[np.ndarray, np.ndarray]]:
    """Reads kernels `[h, w, C, D]` and biases of the first `count` convolutions of a `Sequential`."""
    found, _ = read_tensors(path)
    try:
        numbers = sorted(int(name.removesuffix(".weight")) for name in found if name.endswith(".weight"))[:count]
        pairs = [(found[f"{i}.weight"].transpose(2, 3, 1, 0), found[f"{i}.bias"]) for i in numbers]
        if len(pairs) < count:
            raise ValueError(f"it has {len(pairs)} convolutions, not {count}")
    except (KeyError, ValueError) as error:
        raise JaxstyleError(f"{str(path)!r} is not of pytorch-AdaIN: {error}") from error
    return [tuple(np.ascontiguousarray(leaf, np.float32) for leaf in pair) for pair in pairs]  # type: ignore[misc]
