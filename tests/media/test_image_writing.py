"""Files that hold what they were given, byte for byte the same on every day, and never by halves."""

import datetime
import io
import struct
import time
import zlib

import numpy as np
import pytest
import tifffile
from PIL import Image, ImageCms

from jaxstyle.errors import JaxstyleError
from jaxstyle.media import image_writing
from jaxstyle.media.image_reading import read_picture, read_settings
from jaxstyle.media.image_writing import check_writable, write_picture

RNG = np.random.default_rng(1)
RGB = RNG.random((20, 27, 3)).astype(np.float32)
ALPHA = RNG.random((20, 27)).astype(np.float32)
SETTINGS = {"size": 512, "style_weights": [0.3, 0.7], "init": "content", "note": 'Ü "quoted" 東'}
FORMATS = [
    ("png", 8),
    ("png", 16),
    ("tif", 8),
    ("tiff", 16),
    ("webp", 8),
    ("jpg", 8),
    ("jpeg", 8),
    ("PNG", 8),
]
LOSSLESS = [(suffix, bits) for suffix, bits in FORMATS if not suffix.startswith("jp")]


def decode_png16(data: bytes) -> tuple[np.ndarray, dict[bytes, bytes]]:
    """A 16-bit PNG by the book, pixel by pixel for its one filter, with every CRC checked."""
    assert data.startswith(b"\x89PNG\r\n\x1a\n")
    chunks, at = {}, 8
    while at < len(data):
        (length,), kind = struct.unpack(">I", data[at : at + 4]), data[at + 4 : at + 8]
        chunks[kind] = data[at + 8 : at + 8 + length]
        assert struct.unpack(">I", data[at + 8 + length : at + 12 + length])[0] == zlib.crc32(kind + chunks[kind])
        at += 12 + length
    width, height, bits, color, *rest = struct.unpack(">2I5B", chunks[b"IHDR"])
    assert bits == 16 and rest == [0, 0, 0]
    stride = width * 2 * {2: 3, 6: 4}[color]
    raw = zlib.decompress(chunks[b"IDAT"])
    assert len(raw) == height * (stride + 1)
    previous, rows = [0] * stride, []
    for y in range(height):
        line = raw[y * (stride + 1) : (y + 1) * (stride + 1)]
        assert line[0] == 2  # Up
        previous = [(a + b) % 256 for a, b in zip(line[1:], previous, strict=True)]
        rows.append(bytes(previous))
    return np.frombuffer(b"".join(rows), ">u2").reshape(height, width, -1), chunks


def stored(path, bits) -> np.ndarray:
    """The integers in a file, by a decoder that is not the one that wrote it where there is one."""
    if bits == 16:
        return tifffile.imread(path) if path.suffix == ".tiff" else decode_png16(path.read_bytes())[0]
    with Image.open(path) as image:
        return np.asarray(image)


@pytest.mark.parametrize("suffix, bits", LOSSLESS)
@pytest.mark.parametrize("with_alpha", [False, True])
def test_lossless_round_trip(tmp_path, suffix, bits, with_alpha):
    path = tmp_path / f"a.{suffix}"
    write_picture(path, RGB, alpha=ALPHA if with_alpha else None, bits=bits, settings=SETTINGS)
    top = 2**bits - 1
    expected = np.rint(np.float64(np.dstack([RGB, ALPHA]) if with_alpha else RGB) * top)
    np.testing.assert_array_equal(stored(path, bits), expected)
    picture = read_picture(path)  # 16-bit colour is read at 8 bits
    np.testing.assert_allclose(picture.rgb, RGB, atol=(0.5 if bits == 8 else 1) / 255 + 1e-6)
    assert (picture.alpha is not None) == with_alpha
    if with_alpha:
        np.testing.assert_allclose(picture.alpha, ALPHA, atol=(0.5 if bits == 8 else 1) / 255 + 1e-6)


def test_16_bit_tiff_against_libtiff(tmp_path):
    """Pillow reads 16-bit colour at 8 bits, which shows that byte order and predictor are right."""
    write_picture(tmp_path / "a.tif", RGB, bits=16)
    with Image.open(tmp_path / "a.tif") as image:
        np.testing.assert_allclose(np.asarray(image), RGB * 255, atol=1)


def test_jpeg_is_444_and_close(tmp_path):
    red_blue = np.zeros((32, 32, 3), np.float32)
    red_blue[:, ::2, 0] = red_blue[:, 1::2, 2] = 0.8  # subsampling would mix these into violet
    write_picture(tmp_path / "a.jpg", red_blue)
    assert np.abs(read_picture(tmp_path / "a.jpg").rgb - red_blue).mean() < 0.03
    with Image.open(tmp_path / "a.jpg") as image:
        assert {layer[1:3] for layer in image.layer} == {(1, 1)}


def test_jpeg_lays_alpha_on_white(tmp_path):
    alpha = np.zeros((32, 32), np.float32)
    alpha[:16] = 1
    write_picture(tmp_path / "a.jpg", np.full((32, 32, 3), 0.2), alpha=alpha)
    rgb = read_picture(tmp_path / "a.jpg").rgb
    assert abs(rgb[:16].mean() - 0.2) < 0.01 and rgb[16:].min() > 0.98


@pytest.mark.parametrize("suffix, bits", FORMATS)
def test_settings_and_srgb_profile_are_inside(tmp_path, suffix, bits):
    path = tmp_path / f"a.{suffix}"
    write_picture(path, RGB, bits=bits, settings=SETTINGS)
    assert read_settings(path) == SETTINGS
    with Image.open(path) as image:
        assert image.info["icc_profile"] == image_writing.srgb_profile()
        description = ImageCms.getProfileDescription(io.BytesIO(image.info["icc_profile"]))
    assert "sRGB" in description
    write_picture(path, RGB, bits=bits)
    assert read_settings(path) is None


@pytest.mark.parametrize("description", ["a sunny day", "[1, 2]", ""])
def test_settings_of_foreign_files_are_none(tmp_path, description):
    exif = Image.Exif()
    exif[0x010E] = description
    Image.new("RGB", (20, 20)).save(tmp_path / "a.jpg", exif=exif)
    assert read_settings(tmp_path / "a.jpg") is None


def test_long_settings(tmp_path):
    long = {"styles": ["x" * 100] * 1000}
    write_picture(tmp_path / "a.png", RGB, settings=long)
    assert read_settings(tmp_path / "a.png") == long
    write_picture(tmp_path / "a.jpg", RGB, settings=long)  # too long for a JPEG: the picture comes first
    assert read_settings(tmp_path / "a.jpg") is None


@pytest.mark.parametrize("suffix, bits", FORMATS)
def test_same_input_same_bytes_on_another_day(tmp_path, suffix, bits, monkeypatch):
    path, again = tmp_path / f"a.{suffix}", tmp_path / f"another_name.{suffix}"
    write_picture(path, RGB, bits=bits, settings=SETTINGS)
    create = ImageCms.createProfile

    class NextYear(datetime.datetime):
        @classmethod
        def now(cls, tz=None):
            return datetime.datetime(2031, 5, 6, 7, 8, 9, tzinfo=tz)

    def later(name):  # LittleCMS asks the C library for the time, so its header is moved by hand
        profile = bytearray(ImageCms.ImageCmsProfile(create(name)).tobytes())
        profile[24:36] = struct.pack(">6H", 2031, 5, 6, 7, 8, 9)
        profile[40:44] = b"MSFT"
        return ImageCms.ImageCmsProfile(io.BytesIO(profile)).profile

    monkeypatch.setattr(ImageCms, "createProfile", later)
    monkeypatch.setattr(time, "time", lambda: 1.9e9)
    monkeypatch.setattr(tifffile.tifffile, "datetime", NextYear, raising=False)
    image_writing.srgb_profile.cache_clear()
    write_picture(again, RGB.copy(), bits=bits, settings=dict(reversed(SETTINGS.items())))
    assert path.read_bytes() == again.read_bytes()


def test_the_profile_holds_no_date_platform_or_id():
    profile = image_writing.srgb_profile()
    assert struct.unpack(">6H", profile[24:36]) == (2000, 1, 1, 0, 0, 0)
    assert not any(profile[40:44]) and not any(profile[84:100])
    ImageCms.ImageCmsProfile(io.BytesIO(profile))  # still valid


@pytest.mark.parametrize("bits", [8, 16])
def test_rounding_is_half_to_even_and_clips(tmp_path, bits):
    top = 2**bits - 1
    values = np.array([-0.5, 0.5 / top, 1.5 / top, 2.5 / top, 2.5001 / top, 1, 1.7])
    write_picture(tmp_path / "a.tiff", np.broadcast_to(values[:, None, None], (7, 2, 3)), bits=bits)
    assert tifffile.imread(tmp_path / "a.tiff")[:, 0, 0].tolist() == [0, 0, 2, 2, 3, top, top]


@pytest.mark.parametrize("suffix, bits", FORMATS)
def test_a_failure_keeps_the_old_file_and_leaves_nothing(tmp_path, suffix, bits, monkeypatch):
    path = tmp_path / f"a.{suffix}"
    path.write_bytes(b"old")

    def no_space(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(image_writing.os, "replace", no_space)
    with pytest.raises(JaxstyleError, match="No space left"):
        write_picture(path, RGB, bits=bits)
    assert path.read_bytes() == b"old" and [p.name for p in tmp_path.iterdir()] == [path.name]


def test_an_interrupt_leaves_nothing(tmp_path, monkeypatch):
    def interrupt(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(image_writing.os, "replace", interrupt)
    with pytest.raises(KeyboardInterrupt):
        write_picture(tmp_path / "a.png", RGB)
    assert not list(tmp_path.iterdir())


def test_overwriting_and_links_and_permissions(tmp_path):
    (tmp_path / "real.png").write_bytes(b"old")
    (tmp_path / "link.png").symlink_to(tmp_path / "real.png")
    write_picture(tmp_path / "link.png", RGB)
    assert (tmp_path / "link.png").is_symlink()
    assert read_picture(tmp_path / "real.png").rgb.shape == RGB.shape
    (tmp_path / "plain").touch()
    assert (tmp_path / "real.png").stat().st_mode == (tmp_path / "plain").stat().st_mode


@pytest.mark.parametrize("write", [lambda p, b: check_writable(p, b), lambda p, b: write_picture(p, RGB, bits=b)])
@pytest.mark.parametrize(
    "name, bits, message",
    [
        ("a.bmp", 8, "must end in one of .png"),
        ("a", 8, "must end in one of"),
        ("a.jpg", 16, "JPEG cannot hold 16 bits"),
        ("a.webp", 16, "WEBP cannot hold 16 bits"),
        ("a.png", 12, "8 or 16 bits"),
    ],
)
def test_unknown_formats(tmp_path, write, name, bits, message):
    with pytest.raises(JaxstyleError, match=message):
        write(tmp_path / name, bits)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "name, message",
    [
        ("missing/a.png", "folder .*missing' does not exist"),
        ("file/a.png", "is a file"),
        ("folder.png", "is a folder"),
        ("n" * 300 + ".png", "cannot be written|File name too long"),
        ("nul\0.png", "cannot be written|null"),
    ],
)
def test_unwritable_places_are_found_before_the_run(tmp_path, name, message):
    (tmp_path / "file").write_text("")
    (tmp_path / "folder.png").mkdir()
    before = sorted(tmp_path.rglob("*"))
    with pytest.raises(JaxstyleError, match=message):
        check_writable(tmp_path / name)
    with pytest.raises(JaxstyleError):
        write_picture(tmp_path / name, RGB)
    assert sorted(tmp_path.rglob("*")) == before


def test_a_folder_without_permission(tmp_path, monkeypatch):
    def denied(*_, **__):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(image_writing.pathlib.Path, "touch", denied)  # root ignores permission bits
    with pytest.raises(JaxstyleError, match=r"a\.png' cannot be written: Permission denied"):
        check_writable(tmp_path / "a.png")


def test_check_writable_leaves_everything_as_it_was(tmp_path):
    (tmp_path / "old.png").write_bytes(b"old")
    check_writable(tmp_path / "old.png", 16)
    check_writable(tmp_path / "new.tif")
    assert [p.name for p in tmp_path.iterdir()] == ["old.png"]
    assert (tmp_path / "old.png").read_bytes() == b"old"


@pytest.mark.parametrize(
    "rgb, alpha, message",
    [
        (RGB[..., 0], None, r"must be \[H, W, 3\]"),
        (RGB[:0], None, r"must be \[H, W, 3\]"),
        (RGB, ALPHA[:5], "does not fit"),
        (np.full((20, 20, 3), np.nan), None, "NaN"),
        (RGB, np.full_like(ALPHA, np.nan), "NaN"),
    ],
)
@pytest.mark.parametrize("suffix", ["png", "jpg"])
def test_bad_arrays_are_not_written(tmp_path, suffix, rgb, alpha, message):
    with pytest.raises(JaxstyleError, match=message):
        write_picture(tmp_path / f"a.{suffix}", rgb, alpha=alpha)
    assert not list(tmp_path.iterdir())


def test_a_side_too_long_for_the_format(tmp_path):
    with pytest.raises(JaxstyleError, match="at most 16383"):
        write_picture(tmp_path / "a.webp", np.zeros((1, 16384, 3)))
