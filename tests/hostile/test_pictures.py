"""Hostile pictures, through the commands that read pictures."""

import io
import struct
import zlib

import numpy as np
import pytest
import tiny
from hostile.corpus import PLACES, chunk, cut, encoded, flipped, patched, pixels, png, tiff, zeros
from PIL import Image

from jaxstyle.jobs import execution
from jaxstyle.pixels.loop import Outcome

FORMATS = ("PNG", "JPEG", "WEBP", "TIFF", "GIF", "BMP", "PPM", "JPEG2000", "AVIF", "TGA", "ICO", "QOI")
SIDE = 50_000  # pixels, of which no picture has so many on both sides


def damaged():
    """Files of every format that end early, or of which bytes are wrong."""
    for kind in FORMATS:
        data = encoded(kind)
        yield from ((f"{kind} {name}", cut_off) for name, cut_off in cut(data))
        yield from ((f"{kind} with wrong bytes, {seed}", flipped(data, seed)) for seed in range(2))
        yield f"{kind} with a wrong beginning", flipped(data[:40], 3, 6) + data[40:]


def lying():
    """Files whose headers claim sizes that the files have not."""
    big, none = struct.pack("<I", SIDE), struct.pack("<I", 0)
    wide, short = struct.pack(">I", SIDE), struct.pack("<H", SIDE)
    yield "PNG of 2.5 gigapixels", png(SIDE, SIDE)
    yield "PNG of 2^31 columns", png(2**31 - 1, 1)
    yield "PNG without columns", png(0, 48)
    yield "BMP of 2.5 gigapixels", patched(encoded("BMP"), 18, big + big)
    yield "BMP with negative height", patched(encoded("BMP"), 22, struct.pack("<i", -(2**31)))
    yield "BMP without columns", patched(encoded("BMP"), 18, none)
    yield "BMP whose pixels lie behind its end", patched(encoded("BMP"), 10, b"\xff\xff\xff\x7f")
    yield "GIF of 2.5 gigapixels", patched(encoded("GIF"), 6, short + short)
    yield "TGA of 2.5 gigapixels", patched(encoded("TGA"), 12, short + short)
    yield "PPM of 2.5 gigapixels", b"P6 50000 50000 255\n" + bytes(1000)
    yield "PPM of 10^30 columns", b"P6 " + b"9" * 30 + b" 1 255\n"
    yield "PPM of endless digits", b"P6 " + b"1" * 10**6
    yield "PPM with a negative size", b"P6 -64 -48 255\n" + bytes(9216)
    yield "PFM of NaN", b"Pf\n64 48\n-1.0\n" + np.full(64 * 48, np.nan, "<f4").tobytes()
    yield "QOI of 2.5 gigapixels", b"qoif" + wide + wide + b"\3\0" + bytes(1000)
    yield "PSD of 900 megapixels", b"8BPS\0\1" + bytes(6) + struct.pack(">HIIHH", 3, 30000, 30000, 8, 3) + bytes(99)
    yield "ICO of a PNG of 2.5 gigapixels", icon(png(SIDE, SIDE))
    yield "WebP of 268 megapixels", webp(16_383)
    jpeg = encoded("JPEG")
    frame = jpeg.index(b"\xff\xc0")
    yield "JPEG of 4.3 gigapixels", patched(jpeg, frame + 5, b"\xff\xff\xff\xff")
    yield "JPEG of no rows", patched(jpeg, frame + 5, b"\0\0")
    yield "JPEG of 255 components", patched(jpeg, frame + 9, b"\xff")
    wavelets = encoded("JPEG2000")
    size = wavelets.index(b"\xff\x51")
    yield "JPEG 2000 of 2.5 gigapixels", patched(wavelets, size + 6, wide + wide)
    yield "JPEG 2000 of tiles of a pixel", patched(wavelets, size + 22, struct.pack(">2I", 1, 1))


def icon(data):
    """An icon whose one picture is a file of its own."""
    return struct.pack("<3H4B2H2I", 0, 1, 1, 64, 48, 0, 0, 1, 32, len(data), 22) + data


def webp(side):
    """A WebP file of which the canvas is square, and much larger than the picture."""
    body = b"WEBPVP8X" + struct.pack("<I", 10) + bytes(4) + 2 * struct.pack("<I", side)[:3] + encoded("WEBP")[12:]
    return b"RIFF" + struct.pack("<I", len(body)) + body


def bombs():
    """Small files that become large, or take long."""
    bomb = zeros()
    yield "PNG of much text", png(64, 48, chunk(b"zTXt", b"Comment\0\0" + bomb))
    yield "PNG of much international text", png(64, 48, chunk(b"iTXt", b"Comment\0\1\0\0\0" + bomb))
    yield "PNG of a large profile", png(64, 48, chunk(b"iCCP", b"icc\0\0" + bomb))
    yield "PNG of more pixels than it says", png(64, 48).replace(zlib.compress(bytes(1000)), bomb)
    yield "PNG of 10^5 texts", png(64, 48, *[chunk(b"tEXt", b"a\0" + b"b" * 99)] * 100_000)
    yield "APNG of 2^31 frames", png(64, 48, chunk(b"acTL", struct.pack(">2I", 2**31 - 1, 0)))
    yield "TIFF of a large ZIP strip", strips(bomb, 64, 48, 8)
    yield "float TIFF of a large ZIP strip", strips(bomb, 64, 48, 8, 32, 3)
    yield "JPEG of a large EXIF", patched(encoded("JPEG"), 2, b"\xff\xe1\xff\xffExif\0\0II*\0\xff\xff\xff\xff")
    yield "a PNG within gzip", b"\x1f\x8b\x08" + bytes(7) + zlib.compress(encoded("PNG"))


def strips(data, width, height, compression, bits=8, kind=1, **more):
    """A grey TIFF of one strip."""
    tags = {256: (4, 1, width), 257: (4, 1, height), 258: (3, 1, bits), 259: (3, 1, compression), 262: (3, 1, 1)}
    tags |= {273: (4, 1, 8 + 6 + 12 * 10), 277: (3, 1, 1), 278: (4, 1, height), 279: (4, 1, len(data))}
    tags |= {339: (3, 1, kind)} | {int(name[3:]): about for name, about in more.items()}
    return tiff(tags, data)


def floats(values, width=64, height=48):
    """A float TIFF that holds one value."""
    return strips(np.full(64 * 48, values, "<f4").tobytes(), width, height, 1, 32, 3)


def tiffs():
    """TIFFs, which have more ways to lie than others."""
    data = bytes(64 * 48 * 8)
    yield "TIFF of NaN", floats(np.nan)
    yield "TIFF of infinity", floats(np.inf)
    yield "TIFF of negative numbers", floats(-3)
    yield "TIFF of 10^30", floats(1e30)
    yield "float TIFF of 2.5 gigapixels", floats(0, SIDE, SIDE)
    yield "float TIFF of 4 billion columns", floats(0, 2**32 - 1, 1)
    yield "float TIFF without columns", floats(0, 0, 48)
    yield "TIFF of doubles", strips(data, 64, 48, 1, 64, 3)
    yield "TIFF of complex numbers", strips(data, 64, 48, 1, 64, 6)
    yield "TIFF of 1024 bits", strips(data, 64, 48, 1, 1024)
    yield "TIFF of 3 bits", strips(data, 64, 48, 1, 3)
    yield "TIFF of no bits", strips(data, 64, 48, 1, 0)
    yield "TIFF of 65535 samples", strips(data, 64, 48, 1, tag277=(3, 1, 65535))
    yield "TIFF of no samples", strips(data, 64, 48, 1, tag277=(3, 1, 0))
    yield "TIFF whose strip lies behind its end", strips(data, 64, 48, 1, tag273=(4, 1, 2**32 - 9))
    yield "TIFF whose strip is its header", strips(data, 64, 48, 1, tag273=(4, 1, 0))
    yield "TIFF of 4 billion strips", strips(data, 64, 48, 1, tag273=(4, 2**32 - 1, 8), tag279=(4, 2**32 - 1, 8))
    yield "TIFF of a strip of 4 gigabytes", strips(data, 64, 48, 1, 32, 3, tag279=(4, 1, 2**32 - 1))
    yield "TIFF whose size is a text", strips(data, 64, 48, 1, tag256=(2, 4, 0x41414141))
    yield "TIFF whose size is a fraction", strips(data, 64, 48, 1, tag256=(5, 1, 8))
    yield "TIFF compressed in no known way", strips(data, 64, 48, 60_000)
    yield "float TIFF compressed in no known way", strips(data, 64, 48, 60_000, 32, 3)
    yield "float TIFF compressed by WebP", strips(data, 64, 48, 50_001, 32, 3)
    yield "TIFF of JPEG that is none", strips(data, 64, 48, 7)
    yield "TIFF of LZW that is none", strips(b"\xff" * 999, 64, 48, 5)
    yield "TIFF of fax that is none", strips(b"\x55" * 999, 64, 48, 4, 1)
    yield "TIFF that is its own next page", b"II*\0" + struct.pack("<IHI", 8, 0, 8)
    yield "TIFF of 65535 tags", tiff({256: (4, 1, 64)}, data, big=True)
    yield "TIFF of tags behind its end", b"II*\0\xff\xff\xff\xff"
    yield "TIFF turned in the 99th way", strips(data, 64, 48, 1, 32, 3, tag274=(3, 1, 99))
    yield "BigTIFF cut short", b"II+\0\x08\0\0\0" + b"\xff" * 8


def foreign():
    """Files that are no pictures, though they are called so."""
    yield "empty", b""
    yield "zeros", bytes(100_000)
    yield "text", b"hello\n" * 99
    yield "a web page", b"<!DOCTYPE html><html></html>"
    yield "a script", b"#!/bin/sh\ntouch canary\n"
    yield "EPS", b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 64 48\n(canary) (w) file closefile showpage\n"
    yield "SVG", b'<svg xmlns="http://www.w3.org/2000/svg" width="64" height="48"></svg>'
    yield "PDF", b"%PDF-1.7\n%%EOF\n"
    yield "a zip archive", b"PK\3\4" + bytes(99)
    yield "a library", b"\x7fELF\2\1\1" + bytes(99)
    yield "an array", array_file()
    yield "PNG without pixels", b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">2I5B", 64, 48, 8, 2, 0, 0, 0))
    yield "PNG of 5 bits", png(64, 48, depth=5)
    yield "PNG of a colour model that is none", png(64, 48, color=5)
    yield "PNG of a palette that is none", png(64, 48, color=3, data=b"\0".join([b"\xff" * 64] * 48))
    yield "PNG of a palette of nine bytes too many", png(64, 48, chunk(b"PLTE", bytes(777)), color=3)
    yield "PNG of a chunk of 4 gigabytes", png(64, 48)[:33] + struct.pack(">I", 2**32 - 1) + b"IDAT" + bytes(99)
    yield "PNG turned in the 99th way", rotated(99)
    yield "PNG of an EXIF of text", encoded("PNG", exif=b"Exif\0\0not a TIFF")
    yield "PNG of a profile of text", encoded("PNG", icc_profile=b"not a profile" * 99)
    yield "CMYK JPEG of a profile cut short", encoded("JPEG", Image.new("CMYK", (64, 48)), icc_profile=bytes(128))


def array_file():
    buffer = io.BytesIO()
    np.save(buffer, pixels())
    return buffer.getvalue()


def rotated(way):
    exif = Image.Exif()
    exif[0x0112] = way
    return encoded("PNG", exif=exif.tobytes())


FILES = dict([*damaged(), *lying(), *bombs(), *tiffs(), *foreign()])
ROLES = {"content": ["bad.png", "style.png"], "style": ["photo.png", "bad.png"]}
ROLES["mask"] = ["photo.png", "style.png", "--content-mask=bad.png"]
OUT = ("-o", "out/new.png")


@pytest.fixture(autouse=True)
def no_steps(monkeypatch):
    """A picture that can be read is good; that it can be painted is tested elsewhere."""
    monkeypatch.setattr(execution, "optimize", lambda problem, *_, **__: Outcome(np.asarray(problem.start), None))


@pytest.mark.parametrize(("name", "role"), [(name, list(ROLES)[i % 3]) for i, name in enumerate(FILES)])
def test_files(attempt, here, name, role):
    (here / "bad.png").write_bytes(FILES[name])
    attempt("stylize", *ROLES[role], *OUT, *tiny.options("net.safetensors"))


MORE = {
    "a device of nothing": lambda path: path.symlink_to("/dev/null"),
    "a terminal": lambda path: path.symlink_to("/dev/ptmx"),
    "a link to nothing": lambda path: path.symlink_to("nowhere"),
}


@pytest.mark.parametrize("place", [*PLACES, *MORE])
@pytest.mark.parametrize("role", ROLES)
def test_places(attempt, here, place, role):
    (PLACES | MORE)[place](here / "bad.png")
    status, _ = attempt("stylize", *ROLES[role], *OUT, *tiny.options("net.safetensors"))
    assert status == 2


NAMES = {
    "a line break": "two\nlines.png",
    "a terminal's command": "\x1b[31mred\x1b[0m\x07.png",
    "no text": "\udcff\udcfe.png",
    "a direction": "a\u202egnp.png",
    "a minus": "-o.png",
    "a scheme": "http:/a.png",
    "a pattern": "%04d.png",
    "300 letters": "x" * 300 + ".png",
    "a zero": "a\0b.png",
    "nothing": "",
}


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("data", [b"no picture", encoded("PNG")], ids=["bad", "good"])
def test_names(attempt, here, name, data):
    path = f"./{NAMES[name]}" if NAMES[name] else ""
    if name not in ("300 letters", "a zero", "nothing"):
        (here / path).parent.mkdir(exist_ok=True)
        (here / path).write_bytes(data)
    attempt("stylize", "--content", path, "-o", "out/", *tiny.options("net.safetensors"), "style.png")
