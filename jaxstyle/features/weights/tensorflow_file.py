"""Reads TensorFlow's checkpoints without TensorFlow: those of one file (version 1), and bundles of index and data.

Both are tables as LevelDB has them (`table_format.md`): sorted names and values in blocks, a block of the blocks'
places, and a footer. In version 1 values are slices of tensors (`saved_tensor_slice.proto`); in a bundle's index they
say where in the data files a tensor lies (`tensor_bundle.proto`).
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from jaxstyle.features.weights.caffe_file import fields, varint
from jaxstyle.runtime.regular import check_regular

MAGIC = (0xDB4775248B80FB57).to_bytes(8, "little")
FOOTER = 48
INDEX = ".index"
DTYPES = {1: "<f4", 2: "<f8", 3: "<i4", 9: "<i8", 19: "<f2"}  # of types.proto; text and others are passed over


def looks_like_tensorflow(path: Path) -> bool:
    """Whether a file ends like a table."""
    with open(path, "rb") as file:
        file.seek(0, 2)
        file.seek(max(0, file.tell() - len(MAGIC)))
        return file.read() == MAGIC


def read_tensorflow(path: Path) -> dict[str, np.ndarray]:
    """Reads the numeric tensors of a checkpoint by their names.

    Args:
      path: A checkpoint of version 1, or the `.index` of a bundle, beside which its data lie.

    Returns:
      The tensors. Texts are left out, and in version 1 all but float32.

    Raises:
      ValueError: The file is damaged, compressed, or has tensors in parts.
      OSError: A data file is missing.
    """
    entries = dict(table(memoryview(path.read_bytes())))
    head = first(entries.pop("", b""))
    return slices(entries, head) if isinstance(head.get(1), memoryview) else bundle(path, entries, head)


def table(data: memoryview) -> Iterator[tuple[str, memoryview]]:
    """Yields the names and values of a table."""
    footer = data[-FOOTER:]
    at = 0
    for _ in range(2):  # the place of an index of metadata, which nobody writes
        _, at = varint(footer, at)
    for _, value in block(data, *place(footer[at:])):
        yield from ((name.decode(errors="replace"), entry) for name, entry in block(data, *place(value)))


def place(value: memoryview) -> tuple[int, int]:
    """The offset and the size of a block."""
    offset, at = varint(value, 0)
    return offset, varint(value, at)[0]


def block(data: memoryview, offset: int, size: int) -> Iterator[tuple[bytes, memoryview]]:
    """Yields the keys and values of a block; a key shares its beginning with the one before it."""
    if offset + size + 5 > len(data) or size < 4:
        raise ValueError(f"a block of {size} bytes at {offset}, and there are {len(data)}")
    if data[offset + size]:
        raise ValueError("its blocks are compressed")
    content = data[offset : offset + size]
    end = size - 4 * (1 + int.from_bytes(content[-4:], "little"))  # behind it are places to begin a search
    at, key = 0, b""
    while at < end:
        shared, at = varint(content, at)
        added, at = varint(content, at)
        length, at = varint(content, at)
        key = key[:shared] + bytes(content[at : at + added])
        at += added + length
        if at > end:
            raise ValueError("a value reaches beyond its block")
        yield key, content[at - length : at]


def first(message: memoryview | bytes) -> dict[int, int | memoryview]:
    """The fields of a message by their numbers; of repeated ones the last."""
    return dict(fields(memoryview(message)))


def message(value: int | memoryview | None) -> memoryview:
    """A field that is a message, or an empty one."""
    return value if isinstance(value, memoryview) else memoryview(b"")


def number(value: int | memoryview | None) -> int:
    """A field that is a number, or 0."""
    return value if isinstance(value, int) else 0


def shape(value: int | memoryview | None) -> tuple[int, ...]:
    """The sizes in a TensorShapeProto."""
    return tuple(number(first(message(part)).get(1)) for field, part in fields(message(value)) if field == 2)


def slices(entries: dict[str, memoryview], head: dict[int, int | memoryview]) -> dict[str, np.ndarray]:
    """The float32 tensors of a checkpoint of version 1, whose shapes stand in its first entry."""
    described = [first(message(part)) for field, part in fields(message(head[1])) if field == 1]
    shapes = {bytes(message(one.get(1))).decode(): shape(one.get(2)) for one in described if one.get(3) == 1}
    tensors = {}
    for entry in entries.values():
        part = first(message(first(entry).get(2)))
        name = bytes(message(part.get(1))).decode()
        if name in shapes:
            values = np.frombuffer(message(first(message(part.get(3))).get(5)), "<f4")
            tensors[name] = whole(name, values, shapes[name])
    return tensors


def bundle(path: Path, entries: dict[str, memoryview], head: dict[int, int | memoryview]) -> dict[str, np.ndarray]:
    """The tensors of a bundle."""
    tensors = {}
    for name, value in entries.items():
        entry = first(value)
        kind, shard, offset, size = (number(entry.get(place)) for place in (1, 3, 4, 5))
        if kind not in DTYPES:
            continue
        dtype = np.dtype(DTYPES[kind])
        file = path.with_name(f"{path.name.removesuffix(INDEX)}.data-{shard:05d}-of-{number(head.get(1)):05d}")
        check_regular(file)
        if offset + size > file.stat().st_size:
            raise ValueError(f"{name!r} lies beyond the end of {file.name}")
        values = np.fromfile(file, dtype, size // dtype.itemsize, offset=offset)
        tensors[name] = whole(name, values, shape(entry.get(2)))
    return tensors


def whole(name: str, values: np.ndarray, sizes: tuple[int, ...]) -> np.ndarray:
    """Values in their shape; raises `ValueError` where there are fewer or more."""
    if values.size != math.prod(sizes):
        raise ValueError(f"{name!r} of shape {sizes} has {values.size} values, it may be saved in parts")
    return values.reshape(sizes)
