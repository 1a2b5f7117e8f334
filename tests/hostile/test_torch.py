"""Hostile torch checkpoints, of both containers."""

import pickle
import struct
import zipfile

import numpy as np
import pytest
import torch_writer
from hostile.archives import CANARY, Bomb, archive, packed_zeros


def pickles():
    """Pickles that name functions, in all the ways there are, and others that grow."""
    yield "calls a function", pickle.dumps(Bomb(), 2)
    yield "calls a function by protocol 4", pickle.dumps(Bomb(), 4)
    yield "calls a function by protocol 0", pickle.dumps(Bomb(), 0)
    yield "instantiates", b"(S'" + CANARY.encode() + b"'\nibuiltins\nexec\n."
    yield "builds an object", b'(cbuiltins\nexec\nS"' + CANARY.encode() + b'"\no.'
    yield "calls a method of torch", b"ctorch\nload\n(S'x'\ntR."
    yield "calls what is allowed with what is not", b"ctorch\nSize\n(I1\ntR."
    yield "sets attributes", b"ccollections\nOrderedDict\n)R}S'__class__'\ncbuiltins\nexec\nsb."
    yield "reaches through names", b"\x80\4\x8c\x0bcollections\x8c\x17OrderedDict.__init__.a\x93."
    yield "names an extension", b"\x80\2\x82\1."
    yield "asks for a memo of 2^32", b"\x80\2Nr\xff\xff\xff\xff."
    yield "asks for a memo of 10^12", b"Np1000000000000\n."
    yield "announces a text of 4 GB", b"\x80\2X\xff\xff\xff\xffa."
    yield "announces bytes of 2^62", b"\x80\4\x8e" + struct.pack("<Q", 2**62) + b"a."
    yield "announces a frame of 2^62", b"\x80\4\x95" + struct.pack("<Q", 2**62) + b"N."
    yield "writes a number of 10^6 digits", b"I" + b"9" * 10**6 + b"\n."
    yield "doubles 40 times", b"\x80\2]q\0" + b"".join(b"](h%ch%ceq%c" % (i, i, i + 1) for i in range(40)) + b"."
    yield "nests 10^5 times", b"\x80\2" + b"]" * 10**5 + b"a" * (10**5 - 1) + b"."
    yield "contains itself", b"\x80\2}q\0X\1\0\0\0ah\0s."
    yield "is nothing", b""
    yield "is a list", b"\x80\2]."
    yield "never ends", b"\x80\2" + b"N0" * 10**5


def torches():
    """torch checkpoints of both containers."""
    legacy = b"".join(map(torch_writer.pickled, (0x1950A86A20F9469CFC6C, 1001, {"little_endian": True})))
    for name, data in pickles():
        yield f"torch whose pickle {name}", archive({"archive/data.pkl": data})
        yield f"legacy torch whose pickle {name}", legacy + data + b"\x80\2]."
    item = {"a": torch_writer.tensor("0", 4, (4,), (1,))}
    stores = {"0": np.zeros(4, np.float32)}
    tensors = {
        "reach behind their storage": torch_writer.tensor("0", 4, (5,), (1,)),
        "begin behind their storage": torch_writer.tensor("0", 4, (4,), (1,), 10**15),
        "repeat one number 10^12 times": torch_writer.tensor("0", 4, (10**6, 10**6), (0, 0)),
        "have sizes whose product wraps around": torch_writer.tensor("0", 4, (2**32, 2**32), (1, 1)),
        "have a size of 10^30": torch_writer.tensor("0", 4, (10**30,), (1,)),
        "have no numbers and 2^62 rows": torch_writer.tensor("0", 4, (2**62, 0), (1, 1)),
        "have 99 axes": torch_writer.tensor("0", 4, (1,) * 99, (1,) * 99),
        "are of 2^60 numbers": torch_writer.tensor("0", 2**60, (2**60,), (1,)),
        "lie outside the archive": torch_writer.tensor("../../canary", 4, (4,), (1,)),
        "are a view before their storage": torch_writer.tensor("0", 4, (4,), (1,), view=("0", -4, 4)),
    }
    for name, tensor in tensors.items():
        yield f"torch whose tensors {name}", torch_writer.zip_form({"a": tensor}, stores)
        yield f"legacy torch whose tensors {name}", torch_writer.legacy_form({"a": tensor}, stores)
    yield "torch whose numbers are not there", torch_writer.zip_form(item, {})
    yield "torch that is compressed", torch_writer.zip_form(item, stores, zipfile.ZIP_DEFLATED)
    yield "torch of 3 gigabytes of zeros", packed_zeros("data.pkl", b"")
    yield "torch of NaN", torch_writer.zip_form(item, {"0": np.full(4, np.nan, np.float32)})
    yield "torch of names with line breaks", torch_writer.zip_form({"a\nb\x1b[31m": item["a"]}, stores)


FILES = dict(torches())


@pytest.mark.parametrize("name", FILES)
def test_files(attempt, here, name):
    (here / "bad").write_bytes(FILES[name])
    attempt("features", "convert", "bad", "out/new.safetensors")
