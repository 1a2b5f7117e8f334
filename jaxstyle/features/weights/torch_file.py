"""Reads torch checkpoints without torch and without running code from a pickle.

A checkpoint is a pickle that describes tensors, and the raw bytes of their storages. There are two containers
(`torch/serialization.py`): a zip archive (`data.pkl` and `data/KEY`) since torch 1.6, before it a stream of pickles
followed by the storages.
"""

from __future__ import annotations

import dataclasses
import io
import os
import struct
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

import numpy as np

from jaxstyle.errors import JaxstyleError
from jaxstyle.features.weights.torch_pickle import DTYPES, Storage, Tensor, TensorUnpickler

LEGACY_MAGIC = 0x1950A86A20F9469CFC6C
LEGACY_PROTOCOL = 1001
MAX_DEPTH = 32  # of nested dicts; real checkpoints have fewer than 6


@dataclasses.dataclass
class _Checkpoint:
    tree: Any
    storages: dict[str, np.ndarray]  # 1-D, whole


def read_torch(path: str | os.PathLike[str]) -> dict[str, np.ndarray]:
    """Reads the tensors of a torch checkpoint, a zip archive or the older stream of pickles.

    Args:
      path: A file written by `torch.save`, holding tensors in (nested) dicts.

    Returns:
      Arrays by name; the keys of nested dicts are joined by `.`. bfloat16 is widened to float32, other dtypes stay.
      Leaves that are not tensors, such as the number of an epoch, are left out.

    Raises:
      JaxstyleError: The file is damaged, or its pickle contains anything but tensors.
    """
    path = Path(path)
    try:
        with open(path, "rb") as file:
            read = _read_zip if file.read(2) == b"PK" else _read_legacy
            file.seek(0)
            checkpoint = read(file, path, os.fstat(file.fileno()).st_size)
        tensors = {
            name: _materialize(name, leaf, checkpoint.storages) for name, leaf in _leaves(checkpoint.tree, set())
        }
    except JaxstyleError:
        raise
    except Exception as error:  # on damaged bytes pickle, zipfile and struct raise nearly everything there is
        raise JaxstyleError(
            f"{path}: not a whole torch checkpoint ({reason(error)}); fetch or copy it again"
        ) from error
    if not tensors:
        raise JaxstyleError(f"{path}: the checkpoint holds no named tensors; save a state_dict")
    return tensors


def reason(error: Exception) -> str:
    """Says in a clause what a reader has found wrong."""
    if isinstance(error, MemoryError):
        return "it asks for more memory than there is"
    return " ".join(str(error).split()) or type(error).__name__


def _read_zip(file: IO[bytes], path: Path, size: int) -> _Checkpoint:
    with zipfile.ZipFile(file) as archive:

        def read(name: str) -> bytes:
            info = archive.getinfo(name)
            # torch does not compress; a compressed entry could unpack to any size.
            if info.compress_type != zipfile.ZIP_STORED or info.file_size > size:
                raise ValueError(f"entry {name} is compressed or larger than the file")
            return archive.read(info)

        names = archive.namelist()
        root = next(n for n in names if n == "data.pkl" or n.endswith("/data.pkl")).removesuffix("data.pkl")
        order = ">" if f"{root}byteorder" in names and read(f"{root}byteorder").strip() == b"big" else "<"
        unpickler = TensorUnpickler(io.BytesIO(read(f"{root}data.pkl")), path)
        tree = unpickler.load()
        storages = {}
        for key, storage in unpickler.storages.items():
            storages[key] = _decode(read(f"{root}data/{key}"), storage, order)
    return _Checkpoint(tree, storages)


def _read_legacy(file: IO[bytes], path: Path, size: int) -> _Checkpoint:
    def load() -> Any:
        return TensorUnpickler(file, path).load()

    if load() != LEGACY_MAGIC or load() != LEGACY_PROTOCOL:
        raise ValueError("no checkpoint of protocol 1001")
    order = "<" if load().get("little_endian", True) else ">"
    unpickler = TensorUnpickler(file, path)
    tree, keys = unpickler.load(), load()
    if sorted(keys) != sorted(unpickler.storages):
        raise ValueError("the storages in the file are not those that the tensors name")
    storages = {}
    for key in keys:
        (numel,) = struct.unpack("<q", file.read(8))
        storage = unpickler.storages[key]
        if numel != storage.numel:
            raise ValueError(f"storage {key} has {numel} items, its tensors say {storage.numel}")
        if numel * storage.type.itemsize > size - file.tell():
            raise ValueError(f"the file ends inside storage {key}")
        storages[key] = _decode(file.read(numel * storage.type.itemsize), storage, order)
    return _Checkpoint(tree, storages)


def _decode(data: bytes, storage: Storage, order: str) -> np.ndarray:
    if len(data) != storage.numel * storage.type.itemsize:
        raise ValueError(f"storage {storage.key} has {len(data)} bytes, {storage.numel} items do not fit")
    code = DTYPES[storage.type.name]
    if code == "bfloat16":
        return widen_bfloat16(np.frombuffer(data, order + "u2"))
    return np.frombuffer(data, order + code).astype(code, copy=False)


def widen_bfloat16(bits: np.ndarray) -> np.ndarray:
    """The float32 array whose upper halves are `bits` (uint16): bfloat16 is a float32 cut in two."""
    return (bits.astype(np.uint32) << 16).view(np.float32)


def _leaves(tree: Any, visited: set[int], prefix: str = "", depth: int = 0) -> Iterator[tuple[str, Tensor]]:
    """Yields the tensors in nested dicts and lists; `visited` stops pickles that contain themselves or fan out."""
    if isinstance(tree, Tensor):
        yield prefix.removesuffix("."), tree
    elif isinstance(tree, dict | list):
        if id(tree) in visited or depth > MAX_DEPTH:
            raise ValueError(f"{prefix or 'the root'} is nested too deep or contains itself")
        visited.add(id(tree))
        for key, value in tree.items() if isinstance(tree, dict) else enumerate(tree):
            yield from _leaves(value, visited, f"{prefix}{key}.", depth + 1)


def _materialize(name: str, tensor: Tensor, storages: dict[str, np.ndarray]) -> np.ndarray:
    storage = tensor.storage
    items = storages[storage.key][storage.start : storage.start + storage.length]
    count = int(np.prod(tensor.size, dtype=object))  # Python integers: a forged size must not wrap around
    reach = tensor.offset + sum((n - 1) * step for n, step in zip(tensor.size, tensor.stride, strict=True)) + 1
    # The second condition: a stride of 0 would blow one item up to any size.
    if count and (reach > len(items) or count > len(items)):
        raise ValueError(f"tensor {name} reaches beyond its storage ({reach} items of {len(items)})")
    if not count:
        return np.zeros(tensor.size, items.dtype)
    strides = [step * items.itemsize for step in tensor.stride]
    return np.lib.stride_tricks.as_strided(items[tensor.offset :], tensor.size, strides).copy()
