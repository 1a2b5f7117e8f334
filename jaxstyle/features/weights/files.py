"""Weights of a feature extractor: read from any recognised file, written in jaxstyle's own format."""

from __future__ import annotations

import dataclasses
import json
import os
from pathlib import Path
from typing import Literal

import numpy as np

from jaxstyle.errors import JaxstyleError, did_you_mean
from jaxstyle.features.architectures import ARCHITECTURES, problems
from jaxstyle.features.weights import recognition
from jaxstyle.features.weights.readers import read_tensors

RESERVED = ("format", "version", "architecture", "ceil_pooling")  # metadata that `Weights` has fields for
SAFETENSORS_DTYPES = {"float32": "F32", "float16": "F16"}


@dataclasses.dataclass(frozen=True)
class Weights:
    """The weights of a feature extractor under canonical names.

    Attributes:
      architecture: `"vgg16"`, `"vgg19"`, `"squeezenet1_0"`, `"squeezenet1_1"`, `"googlenet"` or `"inception_v3"`.
      tensors: Flat dict of canonical name (`conv1_1/kernel`, `fire2/squeeze1x1/bias`) to float32 array;
        `preprocess/kernel` and `preprocess/bias` are the colour map from RGB in [0, 1] to the network's input.
      ceil_pooling: SqueezeNet only: whether pools round their size up (Caffe, torchvision) or down (Keras).
      metadata: Free strings, such as `layout`, the layout first read from, licence and source.
    """

    architecture: str
    tensors: dict[str, np.ndarray]
    ceil_pooling: bool = False
    metadata: dict[str, str] = dataclasses.field(default_factory=dict)


def read_weights(path: str | os.PathLike[str], *, preprocessing: str | None = None) -> Weights:
    """Reads weights from any file in a known format (`readers.py`) and layout (`layouts.py`).

    Args:
      path: The file.
      preprocessing: A key of `layouts.PREPROCESSING`, such as `"caffe"`, in place of the layout's own, for
        weights that were trained with another one than their names suggest.

    Returns:
      The weights, in float32; the network may end early.

    Raises:
      JaxstyleError: The file cannot be read, is not recognised, or has wrong or missing tensors, which are listed.
    """
    tensors, metadata = read_tensors(path)
    try:
        found = recognition.convert(tensors, metadata, preprocessing=preprocessing)
    except JaxstyleError as error:
        raise JaxstyleError(f"{path}: {error}") from error
    notes = {key: value for key, value in metadata.items() if key not in RESERVED}
    if metadata.get("format") != recognition.FORMAT:
        notes["layout"] = found.layout
    if found.preprocessing:
        notes["preprocessing"] = found.preprocessing
    return Weights(found.architecture, found.tensors, found.ceil_pooling, notes)


def save_weights(
    path: str | os.PathLike[str], weights: Weights, dtype: Literal["float32", "float16"] = "float32"
) -> None:
    """Writes a safetensors file in jaxstyle's own format; the same weights give the same bytes.

    The file appears under its name only when it is whole.

    Args:
      path: The file; its folder must exist. An existing file is replaced.
      weights: The weights.
      dtype: Dtype of the kernels; biases and the colour map are float32.

    Raises:
      JaxstyleError: The weights are not a network or do not fit into float16, or the file cannot be written.
    """
    path = Path(path)
    if dtype not in SAFETENSORS_DTYPES:
        raise JaxstyleError(f"unknown dtype {dtype!r}; {did_you_mean(dtype, SAFETENSORS_DTYPES)}")
    if weights.architecture not in ARCHITECTURES:
        known = did_you_mean(weights.architecture, ARCHITECTURES)
        raise JaxstyleError(f"unknown architecture {weights.architecture!r}; {known}")
    if os.path.isdir(path):
        raise JaxstyleError(f"{path}: a folder; name the file to write")
    with np.errstate(over="ignore"):
        stored = {name: tensor.astype(_stored(tensor, dtype)) for name, tensor in sorted(weights.tensors.items())}
    if wrong := problems(weights.architecture, stored):
        raise JaxstyleError(
            f"{path}: not written, in {dtype} not a whole {weights.architecture}: {recognition.itemized(wrong)}"
        )
    _replace(path, encode(stored, _metadata(weights)))


def encode(tensors: dict[str, np.ndarray], metadata: dict[str, str]) -> bytes:
    """Encodes a safetensors file, deterministically.

    The safetensors package writes metadata in an order that differs from process to process. The format is eight bytes
    of header length, a JSON header, then the tensors one after another, little-endian:
    https://github.com/huggingface/safetensors#format

    Args:
      tensors: float32 or float16 arrays, in their order in the file.
      metadata: Free strings.

    Returns:
      The file's content.
    """
    header: dict[str, object] = {"__metadata__": dict(sorted(metadata.items()))}
    end = 0
    for name, tensor in tensors.items():
        start, end = end, end + tensor.nbytes
        code = SAFETENSORS_DTYPES[tensor.dtype.name]
        header[name] = {"dtype": code, "shape": list(tensor.shape), "data_offsets": [start, end]}
    text = json.dumps(header, separators=(",", ":")).encode()
    text += b" " * (-len(text) % 8)
    body = (np.ascontiguousarray(t, t.dtype.newbyteorder("<")).tobytes() for t in tensors.values())
    return b"".join((len(text).to_bytes(8, "little"), text, *body))


def _stored(tensor: np.ndarray, dtype: str) -> str:
    return dtype if tensor.ndim == 4 else "float32"


def _metadata(weights: Weights) -> dict[str, str]:
    return {
        **weights.metadata,
        "format": recognition.FORMAT,
        "version": recognition.VERSION,
        "architecture": weights.architecture,
        "ceil_pooling": "true" if weights.ceil_pooling else "false",
    }


def _replace(path: Path, data: bytes) -> None:
    temporary = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        try:
            temporary.write_bytes(data)
            os.replace(temporary, path)
        finally:
            temporary.unlink(missing_ok=True)
    except OSError as error:
        raise JaxstyleError(f"{path}: cannot be written ({error.strerror}); choose another place") from error
