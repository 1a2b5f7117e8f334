"""Hostile weights of every format, through the commands that read them."""

import io
import json
import pickle
import struct

import h5py
import numpy as np
import pytest
import scipy.io
import tensorflow_writer
import tiny
import torch_writer
from hostile.archives import CANARY, Bomb, archive, doubled, npy, npy_header, npz, packed_zeros
from hostile.corpus import CUTS, PLACES, cut, flipped, nested, zeros

from jaxstyle.features.weights.files import encode

FLOATS = {"conv1_1/kernel": np.zeros((3, 3, 3, 4), np.float32), "conv1_1/bias": np.zeros(4, np.float32)}


def whole():
    """A file of every format that holds the tiny network, or at least some of its tensors."""
    tensors = tiny.weights().tensors
    tree, storages = torch_writer.contiguous(FLOATS)
    return {
        "safetensors": encode(tensors, {}),
        "npz": npz(**tensors),
        "HDF5": hdf5(lambda file: [file.create_dataset(name, data=tensor) for name, tensor in FLOATS.items()]),
        "torch": torch_writer.zip_form(tree, storages),
        "legacy torch": torch_writer.legacy_form(tree, storages),
        "Caffe": caffe(3 * 64 * 9, (64, 3, 3, 3)),
        "TensorFlow": tensorflow_writer.version_1(FLOATS),
        "MatConvNet": mat(do_compression=False),
        "packed MatConvNet": mat(do_compression=True),
    }


def hdf5(fill):
    buffer = io.BytesIO()
    with h5py.File(buffer, "w") as file:
        fill(file)
    return buffer.getvalue()


def varint(number):
    low = number & 127
    return bytes([low]) if number < 128 else bytes([low | 128]) + varint(number >> 7)


def field(number, data):
    return varint(number << 3 | 2) + varint(len(data)) + data


def caffe(count, shape):
    """A `.caffemodel` of one layer, whose blob says a shape."""
    blob = field(5, bytes(4 * count)) + field(7, field(1, b"".join(map(varint, shape))))
    return field(1, b"net") + field(100, field(1, b"conv1_1") + field(7, blob))


def mat(**options):
    """A model of MatConvNet of one layer."""
    layer, buffer = (
        {"name": "conv1_1", "filters": FLOATS["conv1_1/kernel"], "biases": np.zeros(4, np.float32)},
        io.BytesIO(),
    )
    cell = np.empty((1, 1), object)
    cell[0, 0] = layer
    scipy.io.savemat(buffer, {"layers": cell}, **options)
    return buffer.getvalue()


def damaged():
    """Files of every format that end early, or of which bytes are wrong."""
    for kind, data in whole().items():
        yield from ((f"{kind} {name}", part) for name, part in cut(data, CUTS | {"64 bytes": 64, "nine tenths": 0.9}))
        yield from ((f"{kind} with wrong bytes, {seed}", flipped(data, seed)) for seed in range(2))
        yield f"{kind} with a wrong beginning", flipped(data[:64], 5, 4) + data[64:]
        yield f"{kind} with a wrong end", data[:-64] + flipped(data[-64:], 5, 4)


def safetensors():
    """Headers that lie."""
    one = {"dtype": "F32", "shape": [4], "data_offsets": [0, 16]}
    headers = {
        "reach behind the file": {"a": one | {"data_offsets": [0, 2**60], "shape": [2**58]}},
        "overlap": {"a": one, "b": one},
        "begin after they end": {"a": one | {"data_offsets": [16, 0]}},
        "have negative sizes": {"a": one | {"shape": [-4]}},
        "have sizes of 2^64": {"a": one | {"shape": [2**64]}},
        "have sizes whose product wraps around": {"a": one | {"shape": [2**32, 2**32, 4]}},
        "have no dtype known": {"a": one | {"dtype": "F99"}},
        "are 8-bit floats": {"a": one | {"dtype": "F8_E4M3", "shape": [16]}},
        "have 10^5 axes": {"a": one | {"shape": [1] * 10**5 + [4]}},
        "have names of paths": {"../../canary": one},
        "have names with line breaks": {"a\nb\x1b[31m": one},
        "are numbers": {"a": 1},
        "have metadata of numbers": {"a": one, "__metadata__": {"format": 1}},
        "say they are jaxstyle's": {"a": one, "__metadata__": {"format": "jaxstyle", "version": "99"}},
    }
    for name, header in headers.items():
        yield f"safetensors that {name}", headed(json.dumps(header))
    yield "safetensors of no tensors", headed("{}")
    yield "safetensors nested deep", headed('{"a":' + nested(100_000) + "}")
    yield "safetensors with a name twice", headed(f'{{"a":{json.dumps(one)},"a":{json.dumps(one)}}}')
    yield "safetensors of no JSON", headed("{" * 99)
    yield "safetensors of a header of 2^63 bytes", struct.pack("<Q", 2**63) + b"{}"
    yield "safetensors of a header of 100 MB", struct.pack("<Q", 10**8) + b"{}"
    broken = tiny.weights().tensors
    for value in (np.nan, np.inf, 1e38):
        yield f"safetensors of {value}", encode(broken | {"conv1_1/bias": np.full(4, value, np.float32)}, {})


def headed(text):
    data = text.encode()
    return struct.pack("<Q", len(data)) + data + bytes(16)


def archives():
    """npz files."""
    array = npy("<f4", (4,), 16)
    yield "npz of pickles", npz(a=np.array([Bomb()], object))
    yield "npz of 3 gigabytes of zeros", packed_zeros("a.npy", npy("<f4", (3 * 2**28,), 0))
    yield "npz of an array of 2^62 bytes", archive({"a.npy": npy("<f4", (2**60,), 16)})
    yield "npz of an array of negative size", archive({"a.npy": npy("<f4", (-4,), 16)})
    yield "npz of a size whose product wraps around", archive({"a.npy": npy("<f4", (2**32, 2**32), 16)})
    yield "npz of 99 axes", archive({"a.npy": npy("<f4", (1,) * 99, 16)})
    yield "npz of a header of code", archive({"a.npy": npy_header(f"__import__('builtins').{CANARY}")})
    yield "npz of a header nested deep", archive({"a.npy": npy_header(nested(9000, "(", ")"))})
    yield "npz of texts", npz(a=np.array(["a", "b"]))
    yield "npz of records", npz(a=np.zeros(3, "f4,i4"))
    yield "npz of dates", npz(a=np.zeros(3, "M8[s]"))
    yield "npz of complex numbers", npz(a=np.zeros(3, complex))
    yield "npz that leads out of its folder", archive({"../canary.npy": array, "/canary.npy": array})
    yield "npz with names with line breaks", archive({"a\nb\x1b[31m.npy": array})
    yield "npz with a name twice", doubled(array)
    yield "npz of an array that is none", archive({"a.npy": b"hello"})
    yield "npz of an empty array", archive({"a.npy": b""})
    yield (
        "npz compressed in no known way",
        archive({"a.npy": array}).replace(b"PK\3\4\x14\0\0\0\0\0", b"PK\3\4\x14\0\0\0\x63\0"),
    )
    yield (
        "npz that is encrypted",
        archive({"a.npy": array}).replace(b"PK\1\2\x14\3\x14\0\0\0", b"PK\1\2\x14\3\x14\0\1\0"),
    )
    yield "npz of 10^5 arrays", archive({f"{i}.npy": b"" for i in range(10_000)})
    yield "a zip archive of nothing", archive({})
    yield "a zip archive of text", archive({"readme.txt": b"hello"})


def linked(file):
    file["a"] = h5py.ExternalLink("/etc/passwd", "a")
    file["b"] = h5py.SoftLink("/b")
    file["c"] = h5py.ExternalLink("bad.h5", "/c")


def virtual(file):
    layout = h5py.VirtualLayout((10**6,), "f4")
    layout[:] = h5py.VirtualSource("elsewhere.h5", "a", (10**6,))
    file.create_virtual_dataset("a", layout)


def nest(file):
    for _ in range(500):
        file = file.create_group("a")
    file["b"] = np.zeros(4, np.float32)


def circle(file):
    group = file.create_group("a")
    group["a"] = group


def h5s():
    """Keras files."""
    yield "HDF5 of links to elsewhere", hdf5(linked)
    yield "HDF5 that lies elsewhere", hdf5(virtual)
    yield "HDF5 of raw files", hdf5(lambda f: f.create_dataset("a", (4,), "f4", external=[("/etc/passwd", 0, 16)]))
    yield "HDF5 in a circle", hdf5(circle)
    yield "HDF5 nested 500 times", hdf5(nest)
    yield "HDF5 of 16 GB that are not written", hdf5(lambda f: f.create_dataset("a", (2**32,), "f4", chunks=(1024,)))
    yield "HDF5 of 2^60 bytes", hdf5(lambda f: f.create_dataset("a", (2**58,), "f4", chunks=(1024,)))
    yield "HDF5 of 3 GB, packed", hdf5(packed_hdf5)
    yield "HDF5 of texts", hdf5(lambda f: f.create_dataset("a", data=["a", "b"]))
    yield "HDF5 of records", hdf5(lambda f: f.create_dataset("a", data=np.zeros(3, "f4,i4")))
    yield "HDF5 of NaN", hdf5(lambda f: f.create_dataset("conv1_1/kernel", data=np.full((3, 3, 3, 4), np.nan)))
    yield "HDF5 of nothing", hdf5(lambda f: None)
    yield "HDF5 whose weights are no group", hdf5(lambda f: f.create_dataset("model_weights", data=np.zeros(3)))


def packed_hdf5(file):
    rows = file.create_dataset("a", (96, 2**23), "f4", chunks=(1, 2**23), compression="gzip", compression_opts=1)
    rows[0] = np.zeros(2**23, np.float32)
    part, mask = rows.id.read_direct_chunk((0, 0))[::-1]
    for row in range(1, 96):
        rows.id.write_direct_chunk((row, 0), part, mask)


def caffes():
    """Caffe models."""
    yield "Caffe of 2^60 numbers", caffe(4, (2**60,))
    yield "Caffe of a size that wraps around", caffe(4, (2**32, 2**32))
    yield "Caffe of no number", caffe(0, (0,))
    yield "Caffe whose length is 2^60", field(1, b"net") + varint(100 << 3 | 2) + varint(2**60)
    yield "Caffe whose length never ends", field(1, b"net") + varint(100 << 3 | 2) + b"\xff" * 99
    yield "Caffe nested deep", field(1, b"net") + deep(500)
    yield "Caffe of a kind of field that is none", field(1, b"net") + b"\xa7\6" + bytes(9)
    yield "Caffe of names that are no text", field(1, b"net") + field(100, field(1, b"\xff\xfe") + field(7, b""))


def deep(count):
    data = b""
    for _ in range(count):
        data = field(100, data)
    return data


def element(kind, data):
    return struct.pack("<II", kind, len(data)) + data


def mats():
    """MATLAB files."""
    head = mat()[:128]
    cell = element(6, struct.pack("<II", 1, 0)) + element(5, struct.pack("<ii", 1, 1)) + element(1, b"layers  ")
    inner = [struct.pack("<II", 14, len(cell) * (depth + 1) + 8 * depth) + cell for depth in range(100_000)]
    yield "MATLAB cells nested deep", head + b"".join(reversed(inner))
    yield "MATLAB of elements of no length", head + bytes(8 * 10**5)
    yield "MATLAB of an element of 4 GB", head + struct.pack("<II", 14, 2**32 - 1)
    yield "MATLAB of 3 GB, packed", head + element(15, zeros())
    yield "MATLAB of sizes of 2^62", mat().replace(struct.pack("<4i", 3, 3, 3, 4), struct.pack("<4i", *[2**31 - 1] * 4))
    yield "MATLAB with its end first", head[:126] + b"MI" + mat()[128:]


def tables():
    """TensorFlow's checkpoints."""
    field, table = tensorflow_writer.field, tensorflow_writer.table
    footer = struct.pack("<Q", 0xDB4775248B80FB57)
    yield "TensorFlow of a footer alone", footer
    yield "TensorFlow of zeros", bytes(99) + footer
    yield "TensorFlow of places that never end", b"\xff" * 99 + footer
    yield "TensorFlow of nothing", table({})
    yield "TensorFlow of other entries", table({b"a": b"b", b"c": b"d"})
    described = field(1, field(1, field(1, b"a") + field(2, tensorflow_writer.shape((2**40, 2**40))) + field(3, 1)))
    values = field(2, field(1, b"a") + field(3, field(5, bytes(16))))
    yield "TensorFlow of a shape of 2^80", table({b"": described, b"a": values})
    index, _ = tensorflow_writer.version_2(FLOATS)
    yield "TensorFlow without its data", index
    lost = field(1, 1) + field(3, 10**18) + field(4, 2**62) + field(5, 2**62)
    yield "TensorFlow of 10^18 shards", table({b"": field(1, 10**18), b"a": lost})
    yield "TensorFlow whose data are elsewhere", table({b"": field(1, 1), b"a/../../canary": lost})
    yield (
        "TensorFlow that is compressed",
        bytes(tensorflow_writer.version_1(FLOATS)).replace(b"\0\0\0\0\1\0\0\0\0", b"\0\0\0\0\1\0\0\0\1"),
    )


def foreign():
    yield "empty", b""
    yield "a byte", b"\x80"
    yield "zeros", bytes(10_000)
    yield "text", b"hello\n" * 99
    yield "a web page", b"<!DOCTYPE html>"
    yield "a pointer of Git LFS", b"version https://git-lfs.github.com/spec/v1\n"
    yield "a pickle alone", pickle.dumps(Bomb())
    yield "an array", npy("<f4", (4,), 16)
    yield "ONNX", b"\x08\x07\x12\x07pytorch" + bytes(99)


FILES = dict([*damaged(), *safetensors(), *archives(), *h5s(), *caffes(), *mats(), *tables(), *foreign()])


@pytest.mark.parametrize("name", FILES)
def test_files(attempt, here, name):
    (here / "bad").write_bytes(FILES[name])
    attempt("features", "convert", "bad", "out/new.safetensors")


@pytest.mark.parametrize("name", ["safetensors cut at half", "npz of pickles", "torch cut at half"])
@pytest.mark.parametrize("command", [["features", "verify", "bad"], ["models", "convert", "bad", "out/model"]])
def test_other_commands(attempt, here, name, command):
    (here / "bad").write_bytes(FILES[name])
    assert attempt(*command)[0] == 2


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("command", [["features", "convert", "bad", "out/new"], ["models", "convert", "bad", "out/m"]])
def test_places(attempt, here, place, command):
    PLACES[place](here / "bad")
    assert attempt(*command)[0] == 2


@pytest.mark.parametrize("name", ["two\nlines", "\x1b[31mred", "\udcff", "x" * 300])
@pytest.mark.parametrize("command", [["features", "convert"], ["models", "convert"], ["features", "verify"]])
def test_names(attempt, here, name, command):
    if len(name) < 99:
        (here / name).write_bytes(b"no weights")
    target = [] if command[1] == "verify" else ["out/new"]
    assert attempt(*command, name, *target)[0] == 2
