"""The tensors of every architecture, in depth order, and checks of a set of tensors against them.

Names are jaxstyle's own, called canonical: `preprocess/kernel` [3, 3] and `preprocess/bias` [3] are the affine colour
map from RGB in [0, 1] to the input that the network expects. A convolution is `LAYER/kernel` [h, w, in, out] and
`LAYER/bias` [out].
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import NamedTuple

import numpy as np

from jaxstyle.features import googlenet_plan
from jaxstyle.features.inception_plan import BLOCKS, CONVOLUTIONS, IMAGE, sources

PREPROCESS = "preprocess"


class Layer(NamedTuple):
    """One convolution.

    Attributes:
      name: Canonical name.
      size: Height and width of its kernel.
      inputs: The layers whose outputs, concatenated along the channels, are its input.
      stage: The part of the network it belongs to; a file may end after any stage, not inside one.
      width: Output channels; None allows any width.
    """

    name: str
    size: tuple[int, int]
    inputs: tuple[str, ...]
    stage: str
    width: int | None = None


def _vgg(convolutions: tuple[int, ...]) -> tuple[Layer, ...]:
    """VGG (Simonyan & Zisserman 2014, table 1) of any width, by the number of convolutions in each block."""
    names = [f"conv{i}_{j + 1}" for i, count in enumerate(convolutions, 1) for j in range(count)]
    return tuple(
        Layer(name, (3, 3), (above,), name) for name, above in zip(names, [PREPROCESS, *names[:-1]], strict=True)
    )


def _squeezenet(width: int, size: int) -> tuple[Layer, ...]:
    """SqueezeNet (Iandola et al. 2016, table 1); the versions differ in the stem and in where they pool."""
    layers = [Layer("conv1", (size, size), (PREPROCESS,), "conv1", width)]
    above: tuple[str, ...] = ("conv1",)
    for i, squeeze in enumerate((16, 16, 32, 32, 48, 48, 64, 64), 2):
        fire = f"fire{i}"
        layers.append(Layer(f"{fire}/squeeze1x1", (1, 1), above, fire, squeeze))
        layers.append(Layer(f"{fire}/expand1x1", (1, 1), (f"{fire}/squeeze1x1",), fire, 4 * squeeze))
        layers.append(Layer(f"{fire}/expand3x3", (3, 3), (f"{fire}/squeeze1x1",), fire, 4 * squeeze))
        above = (f"{fire}/expand1x1", f"{fire}/expand3x3")
    return (*layers, Layer("conv10", (1, 1), above, "conv10", 1000))


def _inception() -> tuple[Layer, ...]:
    """Inception-v3 of any width; a block is a stage."""
    layers = []
    for node in CONVOLUTIONS:
        inputs = tuple(PREPROCESS if name == IMAGE else name for name in sources(node.inputs))
        above = node.name.partition("/")[0]
        layers.append(Layer(node.name, node.size, inputs, above if above in BLOCKS else node.name))
    return tuple(layers)


def _googlenet() -> tuple[Layer, ...]:
    """GoogLeNet; a module is a stage."""
    return tuple(
        Layer(name, (size, size), inputs or (PREPROCESS,), name.partition("/")[0], width)
        for name, (size, width, inputs) in googlenet_plan.CONVOLUTIONS.items()
    )


VGG_BLOCKS = {"vgg19": (2, 2, 4, 4, 4), "vgg16": (2, 2, 3, 3, 3)}

# A file that ends before two architectures differ is read as the first one.
ARCHITECTURES: dict[str, tuple[Layer, ...]] = {
    **{name: _vgg(blocks) for name, blocks in VGG_BLOCKS.items()},
    "squeezenet1_1": _squeezenet(64, 3),
    "squeezenet1_0": _squeezenet(96, 7),
    "googlenet": _googlenet(),
    "inception_v3": _inception(),
}


def problems(architecture: str, tensors: Mapping[str, np.ndarray]) -> list[str]:
    """Lists what is wrong with the tensors of a network, which may end after any stage.

    Args:
      architecture: A key of `ARCHITECTURES`.
      tensors: Arrays by canonical name.

    Returns:
      One clause for each problem, in depth order; empty if there is none.
    """
    layers = _present(architecture, tensors)
    widths = {PREPROCESS: 3}
    found = []
    for name in (PREPROCESS, *(layer.name for layer in layers)):
        found += [f"{name}/{leaf} is missing" for leaf in ("kernel", "bias") if f"{name}/{leaf}" not in tensors]
    found += _color_map_problems(tensors)
    for layer in layers:
        found += _layer_problems(layer, widths, tensors)
    known = {f"{name}/{leaf}" for name in (PREPROCESS, *(la.name for la in layers)) for leaf in ("kernel", "bias")}
    found += [f"{name} is not part of {architecture}" for name in tensors if name not in known]
    for name, tensor in tensors.items():
        found += _value_problems(name, tensor)
    return found


def deepest_layer(architecture: str, tensors: Mapping[str, np.ndarray]) -> str | None:
    """The name of the deepest convolution among the tensors; None if there is none."""
    present = _present(architecture, tensors)
    return present[-1].name if present else None


def _present(architecture: str, tensors: Mapping[str, np.ndarray]) -> tuple[Layer, ...]:
    """All layers up to the last stage of which there is any tensor, at least the first stage."""
    layers = ARCHITECTURES[architecture]
    stages = list(dict.fromkeys(layer.stage for layer in layers))
    present = {la.stage for la in layers if f"{la.name}/kernel" in tensors or f"{la.name}/bias" in tensors}
    last = max((stages.index(stage) for stage in present), default=0)
    return tuple(layer for layer in layers if stages.index(layer.stage) <= last)


def _color_map_problems(tensors: Mapping[str, np.ndarray]) -> Iterator[str]:
    for name, shape in ((f"{PREPROCESS}/kernel", (3, 3)), (f"{PREPROCESS}/bias", (3,))):
        if name in tensors and tensors[name].shape != shape:
            yield f"{name} has shape {_text(tensors[name])}, not {list(shape)}"


def _layer_problems(layer: Layer, widths: dict[str, int], tensors: Mapping[str, np.ndarray]) -> Iterator[str]:
    """Problems of one layer's shapes; records the layer's width in `widths` where it is known."""
    kernel, bias = (tensors.get(f"{layer.name}/{leaf}") for leaf in ("kernel", "bias"))
    if kernel is not None and (kernel.ndim != 4 or 0 in kernel.shape):
        yield f"{layer.name}/kernel has shape {_text(kernel)}, not four sizes [h, w, in, out]"
        kernel = None
    if kernel is not None:
        out = kernel.shape[3]
        yield from _kernel_problems(layer, kernel, widths)
    elif bias is not None and bias.ndim == 1:
        out = bias.shape[0]
    else:
        return
    widths[layer.name] = out
    if bias is not None and bias.shape != (out,):
        yield f"{layer.name}/bias has shape {_text(bias)}, its kernel has {out} outputs"
    if layer.width not in (None, out):
        yield f"{layer.name} has {out} outputs, not {layer.width}"


def _kernel_problems(layer: Layer, kernel: np.ndarray, widths: dict[str, int]) -> Iterator[str]:
    if kernel.shape[:2] != layer.size:
        yield f"{layer.name}/kernel is {kernel.shape[0]}x{kernel.shape[1]}, not {layer.size[0]}x{layer.size[1]}"
    if all(name in widths for name in layer.inputs):  # else the problem is listed for the layer above
        inputs = sum(widths[name] for name in layer.inputs)
        if kernel.shape[2] != inputs:
            above = " and ".join(layer.inputs)
            yield f"{layer.name}/kernel takes {kernel.shape[2]} inputs, but gets {inputs} from {above}"


def _value_problems(name: str, tensor: np.ndarray) -> Iterator[str]:
    if tensor.dtype.kind != "f":
        yield f"{name} is {tensor.dtype}, not floating point"
    elif not np.isfinite(tensor).all():
        yield f"{name} has NaN or infinite values"


def _text(tensor: np.ndarray) -> str:
    return str(list(tensor.shape))
