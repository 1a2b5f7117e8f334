"""An unpickler of tensors alone, which runs no code from a pickle.

A pickle may call any function that it can name. This unpickler resolves a short list of names to inert stand-ins, which
record the description of a tensor, and refuses all others by name.
"""

from __future__ import annotations

import pickle
import pickletools
from collections.abc import Callable
from pathlib import Path
from typing import IO, Any, NamedTuple

import numpy as np

from jaxstyle.errors import JaxstyleError

MAX_MEMO = 10_000_000

DTYPES = {
    "DoubleStorage": "f8",
    "FloatStorage": "f4",
    "HalfStorage": "f2",
    "BFloat16Storage": "bfloat16",
    "LongStorage": "i8",
    "IntStorage": "i4",
    "ShortStorage": "i2",
    "CharStorage": "i1",
    "ByteStorage": "u1",
    "BoolStorage": "?",
}


# The stand-ins are tuples, on which a pickle's BUILD opcodes cannot set attributes.
class StorageType(NamedTuple):
    name: str

    @property
    def itemsize(self) -> int:
        return 2 if DTYPES[self.name] == "bfloat16" else np.dtype(DTYPES[self.name]).itemsize


class Storage(NamedTuple):
    """A persistent id: the view `[start, start + length)` of the `numel` items under `key`."""

    type: StorageType
    key: str
    numel: int
    start: int
    length: int


class Tensor(NamedTuple):
    storage: Storage
    offset: int
    size: tuple[int, ...]
    stride: tuple[int, ...]


class Function(NamedTuple):
    call: Callable[..., Any]

    def __call__(self, *args: Any) -> Any:
        return self.call(*args)


class InertDict(dict):
    """A stand-in for OrderedDict, which drops its state: the `_metadata` attribute of a state_dict."""

    __slots__ = ()

    def __setstate__(self, state: object) -> None:
        pass


def _tensor(storage: Any, offset: Any, size: Any, stride: Any, *_: Any) -> Tensor:
    if not isinstance(storage, Storage):
        raise ValueError("a tensor without a storage")
    numbers = (offset, *size, *stride)
    if len(size) != len(stride) or not all(type(n) is int and n >= 0 for n in numbers):
        raise ValueError(f"a tensor with offset {offset}, size {size}, stride {stride}")
    return Tensor(storage, offset, tuple(size), tuple(stride))


def _parameter(data: Any, *_: Any) -> Tensor:
    if not isinstance(data, Tensor):
        raise ValueError("a parameter without a tensor")
    return data


ALLOWED: dict[str, Any] = {
    "collections.OrderedDict": InertDict,
    "torch.Size": Function(tuple),
    "torch._utils._rebuild_tensor": Function(_tensor),
    "torch._utils._rebuild_tensor_v2": Function(_tensor),
    "torch._utils._rebuild_parameter": Function(_parameter),
    "torch._utils._rebuild_parameter_with_state": Function(_parameter),
    **{f"{module}.{name}": StorageType(name) for module in ("torch", "torch.cuda") for name in DTYPES},
}


class TensorUnpickler(pickle.Unpickler):
    """Resolves the names in `ALLOWED` alone; collects the storages that the pickle refers to."""

    def __init__(self, file: IO[bytes], path: Path):
        super().__init__(file, encoding="utf-8")
        self.file = file
        self.path = path
        self.storages: dict[str, Storage] = {}

    def load(self) -> Any:
        # The C unpickler allocates memory for the largest memo index: one opcode could ask for 64 GB.
        start = self.file.tell()
        for opcode, index, _ in pickletools.genops(self.file):
            if opcode.name in ("PUT", "LONG_BINPUT") and (index or 0) > MAX_MEMO:
                raise ValueError(f"a pickle with more than {MAX_MEMO} objects")
        self.file.seek(start)
        return super().load()

    def find_class(self, module: str, name: str) -> Any:
        qualified_name = f"{module}.{name}"
        if qualified_name not in ALLOWED:
            raise JaxstyleError(
                f"{self.path}: refused, the checkpoint asks to run {qualified_name!r}, which is not a tensor; "
                "save the plain tensors with torch.save(model.state_dict(), FILE) and read that file"
            )
        return ALLOWED[qualified_name]

    def persistent_load(self, pid: Any) -> Storage:
        kind, storage_type, key, _location, numel, *rest = pid
        counted = type(numel) is int and numel >= 0
        if kind != "storage" or not isinstance(storage_type, StorageType) or not counted:
            raise ValueError(f"unknown persistent id {pid!r}")
        # Before torch 0.4 a storage could be a view (view key, offset, size) of another.
        start, length = rest[0][1:] if rest and rest[0] is not None else (0, numel)
        if min(start, length) < 0 or start + length > numel:
            raise ValueError(f"storage {key} is a view of items {start} to {start + length} out of {numel}")
        storage = Storage(storage_type, str(key), numel, start, length)
        if self.storages.setdefault(storage.key, storage)[:3] != storage[:3]:
            raise ValueError(f"storage {key} is described in two ways")
        return storage
