"""Reads the weights of Caffe models without Caffe and without protobuf.

A protocol buffer is a sequence of fields: a key, which encodes the field's number and wire type, and a value. A nested
message is a value of type bytes, with its length (https://protobuf.dev/programming-guides/encoding).
"""

from __future__ import annotations

import math
import os
from collections.abc import Iterator

import numpy as np

VARINT, FIXED64, BYTES, FIXED32 = 0, 1, 2, 5
# Field numbers of src/caffe/proto/caffe.proto; 2 are layers of the old type V1LayerParameter.
NET_NAME = 1
LAYERS = {100: (1, 7), 2: (4, 6)}  # a net's field of layers -> a layer's fields of name and blobs
DATA, SHAPE, LEGACY_SHAPE = 5, 7, (1, 2, 3, 4)
LEAVES = ("weight", "bias")


def read_caffe(path: str | os.PathLike[str]) -> dict[str, np.ndarray]:
    """Reads the blobs of a `.caffemodel`.

    Args:
      path: A file written by Caffe.

    Returns:
      `LAYER/weight` and `LAYER/bias`, float32, with Caffe's axes: kernels [out, in, h, w], matrices [out, in].

    Raises:
      ValueError: The file is damaged.
    """
    with open(path, "rb") as file:
        model = memoryview(file.read())
    tensors: dict[str, np.ndarray] = {}
    for number, value in fields(model):
        if number not in LAYERS or not isinstance(value, memoryview):
            continue
        name_field, blob_field = LAYERS[number]
        name, blobs = "", []
        for inner, part in fields(value):
            if inner == name_field and isinstance(part, memoryview):
                name = bytes(part).decode()
            elif inner == blob_field and isinstance(part, memoryview):
                blobs.append(blob(part))
        tensors |= {f"{name}/{leaf}": array for leaf, array in zip(LEAVES, blobs, strict=False)}
    return tensors


def looks_like_caffe(head: bytes) -> bool:
    """Whether a file begins like a NetParameter: with its name, printable, and the key of another field."""
    if len(head) < 4 or head[0] != (NET_NAME << 3 | BYTES) or not 0 < head[1] < 100:
        return False
    name, after = head[2 : 2 + head[1]], head[2 + head[1] : 3 + head[1]]
    return name.isascii() and name.decode("ascii", "replace").isprintable() and after[:1] in NEXT


NEXT = {b"\x12", b"\x1a", b"\xa2"}
"""First bytes of the fields after a net's name: old layers (2), inputs (3), layers (100)."""


def fields(message: memoryview) -> Iterator[tuple[int, int | memoryview]]:
    """Yields the number and value of a message's fields; an int for varints, bytes for other wire types."""
    at = 0
    while at < len(message):
        key, at = varint(message, at)
        kind = key & 7
        if kind == VARINT:
            value, at = varint(message, at)
            yield key >> 3, value
            continue
        if kind not in (FIXED64, BYTES, FIXED32):
            raise ValueError(f"a field of kind {kind} at byte {at}")
        size, at = varint(message, at) if kind == BYTES else (8 if kind == FIXED64 else 4, at)
        if at + size > len(message):
            raise ValueError(f"{size} bytes announced at byte {at}, and there are {len(message) - at}")
        yield key >> 3, message[at : at + size]
        at += size


def varint(message: memoryview, at: int) -> tuple[int, int]:
    """Decodes an integer of groups of seven bits, lowest first; returns it and the index of the byte after it."""
    value = 0
    for place in range(10):
        if at + place >= len(message):
            break
        byte = message[at + place]
        value |= (byte & 127) << 7 * place
        if byte < 128:
            return value, at + place + 1
    raise ValueError(f"a number does not end at byte {at}")


def blob(message: memoryview) -> np.ndarray:
    """Decodes a BlobProto to an array; leading 1s are dropped from the four sizes of old ones."""
    shape: list[int] = []
    legacy, data = dict.fromkeys(LEGACY_SHAPE, 1), []
    for number, value in fields(message):
        if number == DATA and isinstance(value, memoryview):
            data.append(np.frombuffer(value, "<f4"))
        elif number in LEGACY_SHAPE and isinstance(value, int):
            legacy[number] = value
        elif number == SHAPE and isinstance(value, memoryview):
            shape = list(sizes(value))
    if not shape:
        shape = list(legacy.values())
        while len(shape) > 1 and shape[0] == 1:
            del shape[0]
    values = np.concatenate(data) if data else np.zeros(0, np.float32)
    if values.size != math.prod(shape):
        raise ValueError(f"a blob of shape {shape} has {values.size} values")
    return values.reshape(shape)


def sizes(message: memoryview) -> Iterator[int]:
    """Yields the sizes in a BlobShape, packed into one field or in a field each."""
    for _, value in fields(message):
        if isinstance(value, int):
            yield value
            continue
        at = 0
        while at < len(value):
            size, at = varint(value, at)
            yield size
