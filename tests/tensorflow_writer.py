"""Writes TensorFlow's checkpoints without TensorFlow: tables of one block, of version 1 and bundles."""

import struct

import numpy as np

DTYPES = {"float32": 1, "float64": 2, "int32": 3, "int64": 9}
BUNDLE = "{prefix}.data-00000-of-00001"


def varint(number):
    return bytes([number]) if number < 128 else bytes([number & 127 | 128]) + varint(number >> 7)


def field(number, value):
    """A field of a message: a number, or bytes."""
    if isinstance(value, int):
        return varint(number << 3) + varint(value)
    return varint(number << 3 | 2) + varint(len(value)) + value


def shape(sizes):
    return b"".join(field(2, field(1, size)) for size in sizes)


def block(entries):
    """Sorted keys, each with the beginning that it shares with the one before, and a place to begin a search."""
    data, before = b"", b""
    for key, value in sorted(entries.items()):
        shared = next(
            (i for i, (a, b) in enumerate(zip(key, before, strict=False)) if a != b), min(len(key), len(before))
        )
        data += varint(shared) + varint(len(key) - shared) + varint(len(value)) + key[shared:] + value
        before = key
    return data + struct.pack("<II", 0, 1) + b"\0" + bytes(4)  # not compressed; the checksum is not read


def table(entries):
    """A file of these entries: a block of them, an empty one of metadata, one of the first's place, and the footer."""
    first, empty = block(entries), block({})
    place = varint(0) + varint(len(first) - 5)
    last = block({b"\xff": place})
    footer = varint(len(first)) + varint(len(empty) - 5) + varint(len(first + empty)) + varint(len(last) - 5)
    return first + empty + last + footer.ljust(40, b"\0") + struct.pack("<Q", 0xDB4775248B80FB57)


def version_1(tensors):
    """A checkpoint of one file, as `tf.train.Saver` of TensorFlow 0.x wrote it."""
    described, entries = b"", {}
    for name, tensor in tensors.items():
        kind, whole = DTYPES[tensor.dtype.name], b"".join(field(1, b"") for _ in tensor.shape)
        described += field(
            1, field(1, name.encode()) + field(2, shape(tensor.shape)) + field(3, kind) + field(4, whole)
        )
        values = field(1, kind) + field(5 if kind == 1 else 10, tensor.tobytes())
        slice_ = field(1, name.encode()) + field(2, whole) + field(3, values)
        entries[b"\0" + name.encode() + b"\0\1"] = field(2, slice_)
    return table({b"": field(1, described), **entries})


def version_2(tensors):
    """The index of a bundle, and its data."""
    entries, data = {b"": field(1, 1) + field(3, field(1, 1))}, b""
    for name, tensor in sorted(tensors.items()):
        about = field(1, DTYPES[tensor.dtype.name]) + field(2, shape(tensor.shape))
        entries[name.encode()] = about + field(4, len(data)) + field(5, tensor.nbytes)
        data += np.ascontiguousarray(tensor).tobytes()
    return table(entries), data


def write_bundle(path, tensors):
    """Writes a bundle's two files beside a path, which names both."""
    index, data = version_2(tensors)
    path.with_name(f"{path.name}.index").write_bytes(index)
    path.with_name(BUNDLE.format(prefix=path.name)).write_bytes(data)
