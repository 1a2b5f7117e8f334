"""Reads the filters of MatConvNet models, MATLAB files of version 5, without code that follows nesting of any depth.

A file is a sequence of elements, each a type, a length and bytes; an array is an element of elements
(https://www.mathworks.com/help/pdf_doc/matlab/matfile_format.pdf). `scipy.io` recurses through all arrays, and its
process ends in a file nested deep.
"""

from __future__ import annotations

import itertools
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import numpy as np

from jaxstyle.runtime.regular import check_unpacked

MAGIC, HEADER = b"MATLAB 5.0 MAT-file", 128
MATRIX, COMPRESSED = 14, 15  # types of elements
CELL, STRUCT = 1, 2  # classes of arrays
NUMBERS = {1: "i1", 2: "u1", 3: "<i2", 4: "<u2", 5: "<i4", 6: "<u4", 7: "<f4", 9: "<f8"}


class Array(NamedTuple):
    """An array: its class, its sizes, its name, and the elements after these."""

    kind: int
    sizes: tuple[int, ...]
    name: str
    rest: Iterator[tuple[int, memoryview]]


def read_mat(path: Path) -> dict[str, np.ndarray]:
    """Reads the convolutions of a model of MatConvNet's "simplenn".

    Args:
      path: The file, little-endian.

    Returns:
      `layers.NAME.filters` `[h, w, in, out]` and `layers.NAME.biases`.

    Raises:
      ValueError: The file is damaged.
    """
    data = memoryview(path.read_bytes())
    tensors: dict[str, np.ndarray] = {}
    for kind, body in elements(data[HEADER:]):
        if kind == COMPRESSED:
            ((kind, body),) = elements(unpacked(body, path))
        if kind == MATRIX and (found := array(body)).name == "layers" and found.kind == CELL:
            for _, layer in found.rest:
                tensors |= convolution(layer)
    return tensors


def elements(data: memoryview) -> Iterator[tuple[int, memoryview]]:
    """Yields the types and bytes of consecutive elements."""
    at = 0
    while at < len(data):
        kind, size = struct.unpack_from("<II", data, at)
        start = at + 8
        if kind >> 16:  # up to four bytes take the place of their length
            start, size, kind = at + 4, kind >> 16, kind & 0xFFFF
        if start + size > len(data):
            raise ValueError(f"{size} bytes announced, and there are {len(data) - start}")
        yield kind, data[start : start + size]
        at = start + size if kind == COMPRESSED else at + 8 + (-(-size // 8) * 8 if start == at + 8 else 0)


def unpacked(body: memoryview, path: Path) -> memoryview:
    """Decompresses an element, as far as numbers can be compressed."""
    stream, parts, size = zlib.decompressobj(), [], 0
    while body and not stream.eof:
        parts.append(stream.decompress(body, 2**24))
        body, size = memoryview(stream.unconsumed_tail), size + len(parts[-1])
        check_unpacked(size, path)
    return memoryview(b"".join(parts))


def array(body: memoryview) -> Array:
    """Decodes the head of an array."""
    rest = elements(body)
    (_, flags), (_, sizes), (_, name) = itertools.islice(rest, 3)
    return Array(flags[0], tuple(np.frombuffer(sizes, "<i4").tolist()), text(name), rest)


def convolution(body: memoryview) -> dict[str, np.ndarray]:
    """The filters and biases of a layer: in a cell `weights`, or, in old files, fields of their own; or nothing."""
    layer = array(body)
    if layer.kind != STRUCT:
        return {}
    (_, width), (_, names) = itertools.islice(layer.rest, 2)
    step = max(1, int.from_bytes(width, "little"))
    keys = [text(names[at : at + step]) for at in range(0, len(names), step)]
    fields = dict(zip(keys, (part for _, part in layer.rest), strict=False))
    if "weights" in fields:
        fields |= dict(zip(("filters", "biases"), (part for _, part in array(fields["weights"]).rest), strict=False))
    if not {"name", "filters", "biases"} <= set(fields):
        return {}
    name = "".join(text(part) for _, part in array(fields["name"]).rest)
    return {
        f"layers.{name}.filters": numbers(fields["filters"]),
        f"layers.{name}.biases": numbers(fields["biases"]).ravel(),
    }


def text(data: memoryview) -> str:
    """Letters of one byte or two."""
    return bytes(data).replace(b"\0", b"").decode("ascii", "replace")


def numbers(body: memoryview) -> np.ndarray:
    """Decodes an array of real numbers, which lie column by column, to float32."""
    found = array(body)
    ((kind, data),) = itertools.islice(found.rest, 1)
    if kind not in NUMBERS:
        raise ValueError(f"numbers of type {kind}")
    return np.frombuffer(data, NUMBERS[kind]).astype(np.float32).reshape(found.sizes, order="F")
