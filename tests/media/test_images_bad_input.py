"""Every bad picture is one clear `JaxstyleError` that names it, never a warning or a decoder's exception."""

import io
import struct
import tracemalloc
import zlib

import numpy as np
import pytest
from PIL import Image

from jaxstyle.errors import JaxstyleError
from jaxstyle.media.image_reading import read_mask, read_picture, read_settings
from jaxstyle.media.image_resizing import check_size

NOISE = np.random.default_rng(2).integers(0, 256, (64, 64, 3), dtype=np.uint8)


def encoded(kind: str) -> bytes:
    buffer = io.BytesIO()
    Image.fromarray(NOISE).save(buffer, format=kind)
    return buffer.getvalue()


def png_header(width: int, height: int) -> bytes:
    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = chunk(b"IHDR", struct.pack(">2I5B", width, height, 8, 2, 0, 0, 0))
    return b"\x89PNG\r\n\x1a\n" + header + chunk(b"IDAT", zlib.compress(bytes(1000))) + chunk(b"IEND", b"")


BAD_FILES = {
    "empty": (b"", "empty file"),
    "text": (b"not a picture at all\n" * 9, "not a picture in a known format"),
    "html": (b"<!DOCTYPE html><html><body>404</body></html>", "not a picture in a known format"),
    "eps": (b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n%%EndComments\n", "not a picture"),
    "head only": (b"\x89PNG\r\n\x1a\n", "not a picture|cannot be read"),
    "bomb": (png_header(60_000, 60_000), "too large to decode"),
    "between the limits": (
        png_header(10_000, 17_100),
        "10000x17100 pixels exceed the limit of 170 megapixels",
    ),
    "short data": (png_header(300, 300), "cannot be read"),
    "zero width": (png_header(0, 10), "cannot be read|not a picture"),
    **{
        f"truncated {kind}": (encoded(kind)[: len(encoded(kind)) // 2], "cannot be read|not a picture")
        for kind in ("PNG", "JPEG", "WEBP", "TIFF", "GIF", "BMP", "PPM", "JPEG2000")
    },
    "flipped bits": (encoded("PNG")[:200] + bytes(300) + encoded("PNG")[500:], "cannot be read"),
}


@pytest.mark.parametrize("read", [read_picture, read_mask])
@pytest.mark.parametrize("name", BAD_FILES)
def test_bad_files(tmp_path, name, read):
    data, message = BAD_FILES[name]
    path = tmp_path / "photo.png"
    path.write_bytes(data)
    tracemalloc.start()
    with pytest.raises(JaxstyleError, match=message) as caught:
        read(path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert "photo.png" in str(caught.value) and "\n" not in str(caught.value)
    assert peak < 50e6


@pytest.mark.parametrize("read", [read_picture, read_mask, read_settings])
def test_missing_files_and_folders(tmp_path, read):
    with pytest.raises(JaxstyleError, match=r"'.*nowhere\.png' does not exist"):
        read(tmp_path / "nowhere.png")
    with pytest.raises(JaxstyleError, match="is a folder"):
        read(str(tmp_path))
    with pytest.raises(JaxstyleError):
        read("nul\0.png")


def test_a_file_without_permission(tmp_path, monkeypatch):
    path = tmp_path / "photo.png"
    path.write_bytes(encoded("PNG"))

    def denied(*_, **__):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Image, "open", denied)  # root ignores permission bits
    with pytest.raises(JaxstyleError, match=r"photo\.png.*Permission denied"):
        read_picture(path)


@pytest.mark.parametrize(
    "array, message",
    [
        (np.zeros((3, 20, 20)), r"shape is \(3, 20, 20\)"),
        (np.zeros((1, 20, 20, 3)), "shape is"),
        (np.zeros((20, 20, 2)), "shape is"),
        (np.zeros((0, 20, 3)), "not empty"),
        (np.zeros(5), "shape is"),
        (np.full((20, 20, 3), np.nan), "NaN"),
        (np.full((20, 20, 3), np.inf), "NaN or infinity"),
        (np.full((20, 20, 3), 255.0), "1/255"),
        (np.full((20, 20, 3), -0.5), "from -0.5"),
        (np.zeros((20, 20, 3), np.int64), "int64"),
        (np.zeros((20, 20, 3), complex), "complex"),
        (np.full((20, 20, 3), "a"), "<U1"),
        (None, "shape is"),
    ],
)
def test_bad_arrays(array, message):
    with pytest.raises(JaxstyleError, match=message):
        read_picture(array)


def test_bad_float_tiff(tmp_path):
    Image.fromarray(np.full((20, 20), 300, np.float32)).save(tmp_path / "a.tif")
    with pytest.raises(JaxstyleError, match=r"a\.tif.*outside \[0, 1\]"):
        read_picture(tmp_path / "a.tif")


def test_a_truncated_pil_image_is_told_by_name(tmp_path):
    (tmp_path / "cut.png").write_bytes(encoded("PNG")[:3000])
    with Image.open(tmp_path / "cut.png") as image, pytest.raises(JaxstyleError, match=r"cut\.png"):
        read_picture(image)


@pytest.mark.parametrize(
    "height, width, message",
    [
        (1, 1, "too few"),
        (15, 200, "at least 16"),
        (10, 20000, "too few"),
        (20, 20000, "32-fold"),
        (513, 16, "32-fold"),
    ],
)
def test_sizes_refused(height, width, message):
    with pytest.raises(JaxstyleError, match=message) as caught:
        check_size(height, width, "photo.png")
    assert f"'photo.png' has {width}x{height} pixels" in str(caught.value)


def test_sizes_accepted():
    check_size(16, 16, "a")
    check_size(512, 16, "a")
    check_size(3000, 4000, "a")


def test_unknown_example():
    with pytest.raises(JaxstyleError, match="did you mean 'landscape'"):
        read_picture("example:landscap")
