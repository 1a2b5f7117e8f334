"""Makes zip archives and arrays of NumPy's, whole ones and such as lie."""

import io
import struct
import zipfile

import numpy as np
import pytest
from hostile.corpus import zeros

CANARY = "open('canary', 'w')"


class Bomb:
    """Runs code when it is unpickled."""

    def __reduce__(self):
        return exec, (CANARY,)


def npz(**arrays):
    buffer = io.BytesIO()
    np.savez(buffer, **arrays)
    return buffer.getvalue()


def archive(files, compression=zipfile.ZIP_STORED):
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", compression) as packed:
        for name, data in files.items():
            packed.writestr(name, data)
    return buffer.getvalue()


def npy(dtype, shape, count):
    return npy_header(repr({"descr": dtype, "fortran_order": False, "shape": shape})) + bytes(count)


def npy_header(text):
    data = text.encode() + b"\n"
    return b"\x93NUMPY\2\0" + struct.pack("<I", len(data)) + data


def packed_zeros(name, head):
    """A zip archive of one entry of 3 gigabytes, which its directory does not hide."""
    size = 3 * 2**30 + len(head)
    data = archive({name: b"x"}, zipfile.ZIP_DEFLATED)
    start, middle = data.index(name.encode()) + len(name), data.index(b"PK\1\2")
    body = stored(head) + zeros(3, wbits=-15)
    sizes = struct.pack("<3I", 0, len(body), size)
    local = data[:14] + sizes + data[26:start]
    central = data[middle : middle + 16] + sizes + data[middle + 28 :]
    end = central.index(b"PK\5\6")
    central = central[: end + 16] + struct.pack("<I", len(local) + len(body)) + central[end + 20 :]
    return local + body + central


def stored(data):
    """A deflated block that is not the last."""
    return b"\0" + struct.pack("<HH", len(data), len(data) ^ 0xFFFF) + data


def doubled(data):
    with pytest.warns(UserWarning, match="Duplicate"):
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w") as packed:
            packed.writestr("a.npy", data)
            packed.writestr("a.npy", data)
    return buffer.getvalue()
