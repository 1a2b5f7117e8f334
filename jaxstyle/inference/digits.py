"""The classifier of handwritten digits that the package ships: `SmallCNN`, trained by `configs/classify_mnist.py`."""

from __future__ import annotations

import hashlib
import os
import pathlib
from collections.abc import Mapping

import flax.traverse_util
import jax
import numpy as np

from jaxstyle.features.weights.files import encode
from jaxstyle.features.weights.readers import read_tensors
from jaxstyle.inference.run import open_run
from jaxstyle.media.image_writing import write_whole
from jaxstyle.models.cnn import SmallCNN

NAME = "digits"
PATH = pathlib.Path(__file__).with_name("digits.safetensors")
SHAPE = (28, 28, 1)
CLASSES = tuple(map(str, range(10)))
NETWORK = SmallCNN(len(CLASSES))


def load_params(path: str | os.PathLike = PATH) -> dict:
    """The parameters of `NETWORK` in a file that `save` wrote, nested, in float32."""
    tensors = {name: tensor.astype(np.float32) for name, tensor in read_tensors(path)[0].items()}
    return flax.traverse_util.unflatten_dict(tensors, sep="/")


def save(workdir: str | os.PathLike, path: str | os.PathLike, notes: Mapping[str, str]) -> None:
    """Writes the parameters of a trained `SmallCNN` in float16, with a hash of them and other notes as metadata.

    Args:
      workdir: Of a training by `configs/classify_mnist.py`.
      path: The file; the same parameters and notes give the same bytes.
      notes: Free strings, such as `accuracy`, `command` and `licence`.
    """
    state = open_run(workdir).state
    flat = flax.traverse_util.flatten_dict(jax.device_get(state.best_params), sep="/")
    tensors = {name: np.asarray(flat[name], np.float16) for name in sorted(flat)}
    write_whole(pathlib.Path(path), encode(tensors, {**notes, "sha256": digest(tensors)}))


def digest(tensors: Mapping[str, np.ndarray]) -> str:
    """The hash of float16 tensors, in the order of their names."""
    parts = (np.asarray(tensors[name], "<f2").tobytes() for name in sorted(tensors))
    return hashlib.sha256(b"".join(parts)).hexdigest()
