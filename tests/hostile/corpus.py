"""Makes damaged and lying files out of whole ones."""

import io
import os
import struct
import zlib

import numpy as np
from PIL import Image

CUTS = {"1 byte": 1, "8 bytes": 8, "a tenth": 0.1, "half": 0.5, "all but a byte": -1}


def cut(data, places=CUTS):
    """Yields a name and the beginning of a file, for several ends: bytes, or shares of it."""
    for name, place in places.items():
        yield f"cut at {name}", data[: int(place * len(data)) if isinstance(place, float) else place]


def flipped(data, seed, count=8):
    """A file of which some bytes are others."""
    rng, changed = np.random.default_rng(seed), bytearray(data)
    for place in rng.integers(0, len(data), count):
        changed[place] ^= int(rng.integers(1, 256))
    return bytes(changed)


def patched(data, place, values):
    """A file with other bytes at a place."""
    return data[:place] + values + data[place + len(values) :]


def pixels(height=48, width=64, seed=4):
    """Noise `[H, W, 3]`, uint8."""
    return np.random.default_rng(seed).integers(0, 256, (height, width, 3), np.uint8)


def encoded(kind, image=None, **options):
    """A picture as Pillow writes it."""
    buffer = io.BytesIO()
    (Image.fromarray(pixels()) if image is None else image).save(buffer, kind, **options)
    return buffer.getvalue()


def chunk(kind, data):
    """A chunk of a PNG."""
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


def png(width, height, *chunks, depth=8, color=2, data=None):
    """A PNG with chunks before its pixels, which are a thousand zeros where nothing else is given."""
    head = chunk(b"IHDR", struct.pack(">2I5B", width, height, depth, color, 0, 0, 0))
    body = chunk(b"IDAT", zlib.compress(bytes(1000) if data is None else data))
    return b"".join((b"\x89PNG\r\n\x1a\n", head, *chunks, body, chunk(b"IEND", b"")))


def zeros(gigabytes=3, wbits=15):
    """That many gigabytes of zeros, deflated to a thousandth; only the checksum is wrong."""
    deflate = zlib.compressobj(9, wbits=wbits)
    first, block = (deflate.compress(bytes(2**25)) + deflate.flush(zlib.Z_FULL_FLUSH) for _ in range(2))
    return first + (32 * gigabytes - 1) * block + deflate.flush()


def tiff(tags, strip=b"", big=False):
    """A little-endian TIFF of one page.

    Args:
      tags: Number -> (type, count, value or offset).
      strip: Bytes behind the page's tags, at `8 + 6 + 12 * len(tags)`.
      big: Unused bits of the count of tags, to lie about it.
    """
    entries = b"".join(struct.pack("<HHII", tag, *about) for tag, about in sorted(tags.items()))
    count = 65535 if big else len(tags)
    return b"II*\0" + struct.pack("<IH", 8, count) + entries + struct.pack("<I", 0) + strip


def nested(depth, opening="[", closing="]"):
    """JSON that is nested too deep for most who read it."""
    return opening * depth + closing * depth


def fifo(path):
    """A pipe with a name, into which nobody writes."""
    os.mkfifo(path)


PLACES = {
    "a pipe into which nobody writes": fifo,
    "an endless device": lambda path: path.symlink_to("/dev/zero"),
    "a link to itself": lambda path: path.symlink_to(path),
    "a folder": os.mkdir,
}
"""What may be where a file should be, and makes it."""

RECIPE = "from jaxstyle.training.config import as_config\nimport tiny_task\ndef get_config(variant=''):\n    {}\n"
"""A recipe, but for its last line."""
