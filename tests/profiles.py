"""Pictures' colour profiles and orientations, by hand."""

import struct

import numpy as np

# What a viewer must do for each EXIF orientation (EXIF 2.3, tag 0x0112), in NumPy.
UPRIGHT = {
    1: lambda a: a,
    2: lambda a: a[:, ::-1],
    3: lambda a: a[::-1, ::-1],
    4: lambda a: a[::-1],
    5: lambda a: a.transpose(1, 0, 2),
    6: lambda a: np.rot90(a, -1),
    7: lambda a: a[::-1, ::-1].transpose(1, 0, 2),
    8: lambda a: np.rot90(a, 1),
}


def p3_profile() -> bytes:
    """Display P3 with a plain gamma of 2.2, written by hand (ICC.1:2022): a matrix profile unlike sRGB."""

    def number(*values):
        return b"".join(struct.pack(">i", round(v * 65536)) for v in values)

    colorants = {  # P3 D65 primaries adapted to D50
        b"rXYZ": (0.515102, 0.241182, -0.001050),
        b"gXYZ": (0.291965, 0.692236, 0.041882),
        b"bXYZ": (0.157153, 0.066582, 0.784378),
        b"wtpt": (0.964203, 1.0, 0.824905),
    }
    tags = {k: b"XYZ \0\0\0\0" + number(*v) for k, v in colorants.items()}
    curve = b"curv\0\0\0\0" + struct.pack(">IH", 1, round(2.2 * 256)) + b"\0\0"
    tags |= dict.fromkeys((b"rTRC", b"gTRC", b"bTRC"), curve)
    tags[b"desc"] = b"desc\0\0\0\0" + struct.pack(">I", 5) + b"P3ish" + bytes(78 + 1)
    body, table, offset = b"", struct.pack(">I", len(tags)), 128 + 4 + 12 * len(tags)
    for name, data in tags.items():
        table += name + struct.pack(">II", offset + len(body), len(data))
        body += data + bytes(-len(data) % 4)
    header = bytearray(128)
    header[0:4] = struct.pack(">I", offset + len(body))
    header[8:12], header[12:24], header[36:40] = b"\x02\x10\0\0", b"mntrRGB XYZ ", b"acsp"
    header[68:80] = number(0.964203, 1.0, 0.824905)
    return bytes(header) + table + body


def p3_to_srgb(rgb):
    """The same conversion in NumPy: gamma 2.2, P3 to XYZ to sRGB (both D50), the sRGB curve."""
    p3 = np.array([[0.515102, 0.291965, 0.157153], [0.241182, 0.692236, 0.066582], [-0.00105, 0.041882, 0.784378]])
    srgb = np.array([[0.436065, 0.385151, 0.143078], [0.222493, 0.716887, 0.060617], [0.013920, 0.097081, 0.714099]])
    linear = np.clip(rgb**2.2 @ (np.linalg.inv(srgb) @ p3).T, 0, 1)
    return np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)


def grey_profile(gamma: float) -> bytes:
    """A grey profile of one gamma, written by hand."""
    curve = b"curv\0\0\0\0" + struct.pack(">IH", 1, round(gamma * 256)) + b"\0\0"
    white = b"XYZ \0\0\0\0" + struct.pack(">3i", 63190, 65536, 54061)
    desc = b"desc\0\0\0\0" + struct.pack(">I", 2) + b"g" + bytes(80)
    body, table, offset = b"", struct.pack(">I", 3), 128 + 4 + 36
    for name, data in {b"kTRC": curve, b"wtpt": white, b"desc": desc}.items():
        table += name + struct.pack(">II", offset + len(body), len(data))
        body += data + bytes(-len(data) % 4)
    header = bytearray(128)
    header[0:4] = struct.pack(">I", offset + len(body))
    header[8:12], header[12:24], header[36:40] = b"\x02\x10\0\0", b"mntrGRAYXYZ ", b"acsp"
    header[68:80] = struct.pack(">3i", 63190, 65536, 54061)
    return bytes(header) + table + body
