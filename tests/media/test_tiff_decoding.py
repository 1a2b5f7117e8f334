"""TIFFs of every kind of number and every layout of planes, against what was written; others are refused by name."""

import numpy as np
import pytest
import tifffile
from PIL import Image
from profiles import UPRIGHT, p3_profile, p3_to_srgb

from jaxstyle.errors import JaxstyleError
from jaxstyle.media.image_reading import read_picture
from jaxstyle.media.image_writing import srgb_profile

VALUES = np.random.default_rng(0).random((20, 24, 4))
KINDS = ["uint8", "uint16", "uint32", "float16", "float32", "float64"]


def write(path, values, separate=False, **options):
    """Grey or RGB, with an alpha where there are two or four channels."""
    channels = values.shape[-1]
    alpha = {2: ["unassalpha"], 4: ["unassalpha"]}.get(channels)
    layout = {"planarconfig": "separate" if separate else "contig"} if channels > 1 else {}
    stored = values[..., 0] if channels == 1 else np.moveaxis(values, -1, 0) if separate else values
    given = {"photometric": "rgb" if channels > 2 else "minisblack", "extrasamples": alpha, "metadata": None}
    tifffile.imwrite(path, np.ascontiguousarray(stored), **{**given, **layout, **options})


def stored_as(values, kind):
    if kind.startswith("float"):
        return values.astype(kind)
    return np.rint(values * np.iinfo(kind).max).astype(kind)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("separate", [False, True])
@pytest.mark.parametrize("channels", [1, 2, 3, 4])
@pytest.mark.parametrize("compression", [None, "zlib"])
def test_every_kind_and_layout(tmp_path, kind, separate, channels, compression):
    values = VALUES[..., :channels]
    write(tmp_path / "a.tif", stored_as(values, kind), separate, compression=compression)
    picture = read_picture(tmp_path / "a.tif")
    colors = values[..., :3] if channels > 2 else values[..., :1]
    # Pillow reads 16-bit RGB at 8 bits, cut off and not rounded.
    np.testing.assert_allclose(picture.rgb, np.broadcast_to(colors, picture.rgb.shape), atol=1 / 255)
    assert (picture.alpha is None) == (channels in (1, 3))
    if picture.alpha is not None:
        np.testing.assert_allclose(picture.alpha, values[..., -1], atol=1 / 255)


def test_planes_of_16_bits_keep_their_precision(tmp_path):
    levels = np.arange(65536, dtype=np.uint16).reshape(256, 256)
    write(tmp_path / "a.tif", np.dstack([levels, levels.T, levels[::-1]]), separate=True)
    rgb = read_picture(tmp_path / "a.tif").rgb
    np.testing.assert_allclose(rgb, np.dstack([levels, levels.T, levels[::-1]]) / 65535, atol=1e-7)


@pytest.mark.parametrize("orientation", range(1, 9))
@pytest.mark.parametrize("kind", ["float16", "uint8"])
@pytest.mark.parametrize("channels", [1, 4])
def test_orientation_is_applied(tmp_path, orientation, kind, channels):
    """By Pillow, too, which mixes up the sides of what it maps into memory: grey and RGBA that are not compressed."""
    values = VALUES[..., :channels]
    write(tmp_path / "a.tif", stored_as(values, kind), extratags=[(274, "H", 1, orientation, True)])
    picture, wanted = read_picture(tmp_path / "a.tif"), UPRIGHT[orientation](values)
    np.testing.assert_allclose(picture.rgb, np.broadcast_to(wanted[..., :3], picture.rgb.shape), atol=0.51 / 255)
    assert picture.alpha is None or np.abs(picture.alpha - wanted[..., -1]).max() < 0.51 / 255


def test_colours_that_alpha_is_multiplied_into_are_divided(tmp_path):
    rgb, alpha = VALUES[..., :3], np.where(VALUES[..., 3:] > 0.3, VALUES[..., 3:], 0)
    write(tmp_path / "a.tif", np.float32(np.dstack([rgb * alpha, alpha])), extrasamples=["assocalpha"])
    picture = read_picture(tmp_path / "a.tif")
    np.testing.assert_allclose(picture.rgb, np.where(alpha > 0, rgb, 0), atol=1e-6)
    np.testing.assert_allclose(picture.alpha, alpha[..., 0], atol=1e-6)


def test_white_may_be_zero(tmp_path):
    write(tmp_path / "a.tif", np.float64(VALUES[..., :1]), photometric="miniswhite")
    np.testing.assert_allclose(read_picture(tmp_path / "a.tif").rgb[..., 1], 1 - VALUES[..., 0], atol=1e-6)


def test_profiles_are_applied(tmp_path):
    rgb = 0.1 + 0.9 * VALUES[..., :3]  # near black, steps of 8 bits are steeper
    write(tmp_path / "a.tif", np.float32(rgb), iccprofile=p3_profile())
    np.testing.assert_allclose(read_picture(tmp_path / "a.tif").rgb, p3_to_srgb(rgb), atol=3 / 255)
    write(tmp_path / "b.tif", np.float32(VALUES[..., :3]), iccprofile=srgb_profile())
    np.testing.assert_allclose(read_picture(tmp_path / "b.tif").rgb, VALUES[..., :3], atol=1e-6)


@pytest.mark.parametrize(
    ("values", "sentence"),
    [
        (np.float32(300 * VALUES[..., :3]), r"holds floats from .* outside \[0, 1\]"),
        (np.float32(np.where(VALUES < 0.1, np.nan, VALUES))[..., :3], "holds NaN or infinity"),
        (np.int32(9 * VALUES[..., :3]), "holds int32: give floats"),
    ],
)
def test_numbers_that_are_no_picture_are_told(tmp_path, values, sentence):
    write(tmp_path / "a.tif", values)
    with pytest.raises(JaxstyleError, match=rf"picture '.*a\.tif' {sentence}"):
        read_picture(tmp_path / "a.tif")


def test_other_kinds_are_refused_by_name(tmp_path):
    many = np.float32(np.dstack([VALUES, VALUES]))
    tifffile.imwrite(tmp_path / "many.tif", many, photometric="minisblack", planarconfig="contig")
    with pytest.raises(JaxstyleError, match=r"many\.tif' is a TIFF of 8 channels in YXS; save it as grey or RGB"):
        read_picture(tmp_path / "many.tif")
    tifffile.imwrite(tmp_path / "lab.tif", np.uint16(1000 * VALUES[..., :3]), photometric="cielab", metadata=None)
    with pytest.raises(JaxstyleError, match=r"lab\.tif' is a TIFF of a kind that is not read: save it as grey or RGB"):
        read_picture(tmp_path / "lab.tif")
    write(tmp_path / "packed.tif", np.float64(VALUES))
    data = (tmp_path / "packed.tif").read_bytes()
    place = data.index(b"\x03\x01\x03\0\x01\0\0\0\x01\0")  # the tag Compression, of none
    (tmp_path / "packed.tif").write_bytes(data[: place + 8] + b"\x05\0" + data[place + 10 :])
    with pytest.raises(JaxstyleError, match=r"packed\.tif' is a TIFF of a kind whose compression, LZW, is not read"):
        read_picture(tmp_path / "packed.tif")


@pytest.mark.parametrize("kept", [8, 60, 200, 1000, -100])
def test_a_cut_file_is_told_and_nothing_logged(tmp_path, kept, caplog):
    write(tmp_path / "a.tif", np.float32(VALUES[..., :3]), separate=True)
    (tmp_path / "a.tif").write_bytes((tmp_path / "a.tif").read_bytes()[:kept])
    with pytest.raises(JaxstyleError, match=r"a\.tif"):
        read_picture(tmp_path / "a.tif")
    assert not caplog.records


def test_a_picture_too_large_is_told_before_it_is_decoded(tmp_path):
    write(tmp_path / "a.tif", np.float32(VALUES[..., :3]))
    data = bytearray((tmp_path / "a.tif").read_bytes())
    for tag in (256, 257):  # width and height
        place = data.index(tag.to_bytes(2, "little") + b"\x04\0\x01\0\0\0")
        data[place + 8 : place + 12] = (60_000).to_bytes(4, "little")
    (tmp_path / "a.tif").write_bytes(data)
    with pytest.raises(JaxstyleError, match="60000x60000 pixels exceed the limit"):
        read_picture(tmp_path / "a.tif")


def test_what_pillow_reads_stays_with_pillow(tmp_path):
    Image.fromarray(np.uint8(255 * VALUES[..., :3])).save(tmp_path / "a.tif", compression="tiff_lzw")
    np.testing.assert_allclose(read_picture(tmp_path / "a.tif").rgb, VALUES[..., :3], atol=1 / 255)
