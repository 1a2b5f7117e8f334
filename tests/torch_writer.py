"""Writes torch checkpoints without torch, opcode by opcode, so that tests can also write wrong ones."""

import io
import struct
import zipfile
from typing import Any, NamedTuple

import numpy as np

STORAGES = {
    "f8": "DoubleStorage",
    "f4": "FloatStorage",
    "f2": "HalfStorage",
    "i8": "LongStorage",
    "i4": "IntStorage",
}


class Global(NamedTuple):
    """`module.name`, looked up by the unpickler."""

    module: str
    name: str


class Reduce(NamedTuple):
    """A call of `function`, then `state` given to the result where there is any."""

    function: Any
    args: tuple
    state: Any = None


class Persistent(NamedTuple):
    """A persistent id: torch's way to name a storage."""

    pid: tuple


def pickled(value: Any) -> bytes:
    """`value` as a protocol 2 pickle."""
    return b"\x80\x02" + _opcodes(value) + b"."


def _opcodes(value: Any) -> bytes:
    match value:
        case Global(module, name):
            return f"c{module}\n{name}\n".encode()
        case Reduce(function, args, state):
            build = b"" if state is None else _opcodes(state) + b"b"
            return _opcodes(function) + _opcodes(args) + b"R" + build
        case Persistent(pid):
            return _opcodes(pid) + b"Q"
        case None | True | False:
            return {None: b"N", True: b"\x88", False: b"\x89"}[value]
        case int():
            data = value.to_bytes(value.bit_length() // 8 + 1, "little", signed=True)
            return b"\x8a" + bytes([len(data)]) + data
        case float():
            return b"G" + struct.pack(">d", value)
        case str():
            return b"X" + struct.pack("<I", len(value.encode())) + value.encode()
        case tuple():
            return b"(" + b"".join(map(_opcodes, value)) + b"t"
        case list():
            return b"](" + b"".join(map(_opcodes, value)) + b"e"
        case dict():
            return b"}(" + b"".join(_opcodes(k) + _opcodes(v) for k, v in value.items()) + b"u"
    raise TypeError(type(value))


def tensor(
    key: str,
    numel: int,
    size: tuple,
    stride: tuple,
    offset: int = 0,
    storage: str = "FloatStorage",
    view=None,
):
    """What torch pickles for one tensor."""
    pid = ("storage", Global("torch", storage), key, "cuda:0", numel)
    rebuild = Global("torch._utils", "_rebuild_tensor_v2")
    return Reduce(rebuild, (Persistent((*pid, view)), offset, size, stride, False, None))


def parameter(data: Any):
    """What torch pickles for an `nn.Parameter`."""
    return Reduce(Global("torch._utils", "_rebuild_parameter"), (data, True, None))


def ordered(items: dict):
    """A state_dict: an OrderedDict with a `_metadata` attribute."""
    return Reduce(Global("collections", "OrderedDict"), ([[k, v] for k, v in items.items()],), {"_metadata": {"": {}}})


def contiguous(arrays: dict[str, np.ndarray]) -> tuple[dict, dict[str, np.ndarray]]:
    """The pickled form of each array, and the storages, one an array."""
    tree, storages = {}, {}
    for i, (name, array) in enumerate(arrays.items()):
        stride = tuple(s // array.itemsize for s in np.array(array, order="C").strides)
        storages[str(i)] = np.ascontiguousarray(array).ravel()
        tree[name] = tensor(str(i), array.size, array.shape, stride, storage=STORAGES[array.dtype.str[1:]])
    return tree, storages


def zip_form(tree: Any, storages: dict[str, np.ndarray], compression: int = zipfile.ZIP_STORED) -> bytes:
    """A checkpoint as torch 1.6 and later write it."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", compression) as archive:
        archive.writestr("archive/data.pkl", pickled(tree))
        for key, data in storages.items():
            archive.writestr(f"archive/data/{key}", data.tobytes())
        archive.writestr("archive/version", "3\n")
    return buffer.getvalue()


def legacy_form(tree: Any, storages: dict[str, np.ndarray]) -> bytes:
    """A checkpoint as torch wrote it before 1.6."""
    system = {"protocol_version": 1001, "little_endian": True}
    head = b"".join(map(pickled, (0x1950A86A20F9469CFC6C, 1001, system, tree, list(storages))))
    return head + b"".join(struct.pack("<q", data.size) + data.tobytes() for data in storages.values())
