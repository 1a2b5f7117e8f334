"""Whatever a user may hold becomes upright float32 sRGB: modes, orientation, profiles, precision."""

import numpy as np
import pytest
from PIL import Image, ImageCms
from profiles import UPRIGHT, grey_profile, p3_profile, p3_to_srgb

from jaxstyle.media.image_reading import read_picture

RNG = np.random.default_rng(0)
BYTES = RNG.integers(0, 256, (20, 24, 3), dtype=np.uint8)
GREY = BYTES[..., 0]


def saved(tmp_path, image, name="a.png", **options):
    path = tmp_path / name
    image.save(path, **options)
    return path


def assert_rgb(picture, expected, tolerance=1e-6):
    assert picture.rgb.dtype == np.float32
    np.testing.assert_allclose(picture.rgb, np.broadcast_to(expected, picture.rgb.shape), atol=tolerance, rtol=0)


@pytest.mark.parametrize("suffix", ["png", "tif", "webp", "jpg"])
@pytest.mark.parametrize("orientation", UPRIGHT)
def test_exif_orientation_is_applied(tmp_path, suffix, orientation):
    exif = Image.Exif()
    exif[0x0112] = orientation
    options = {"webp": {"lossless": True}, "jpg": {"quality": 95, "subsampling": 0}}.get(suffix, {})
    smooth = np.asarray(Image.fromarray(BYTES[:3, :4]).resize((48, 32), Image.Resampling.BICUBIC))
    path = saved(tmp_path, Image.fromarray(smooth), f"a.{suffix}", exif=exif, **options)
    tolerance = 12 / 255 if suffix == "jpg" else 1e-6
    assert_rgb(read_picture(path), UPRIGHT[orientation](smooth) / 255, tolerance)


def test_broken_exif_is_ignored(tmp_path):
    path = saved(tmp_path, Image.fromarray(BYTES), exif=b"Exif\0\0MM\0\x2a\0\0\xff\xff junk")
    assert_rgb(read_picture(path), BYTES / 255)


@pytest.mark.parametrize("mode", ["RGB", "RGBA", "P"])
def test_icc_profile_is_converted(tmp_path, mode):
    image = Image.fromarray(BYTES)
    if mode == "P":
        image = image.quantize(16)
    stored = np.asarray(image.convert("RGB")) / 255
    path = saved(tmp_path, image.convert(mode), icc_profile=p3_profile())
    picture = read_picture(path)
    assert np.abs(p3_to_srgb(stored) - stored).max() > 0.1  # the profile matters
    assert_rgb(picture, p3_to_srgb(stored), 3 / 255)
    assert (picture.alpha is None) == (mode != "RGBA")


@pytest.mark.parametrize("profile", [b"junk", p3_profile()[:200], b""])
def test_broken_icc_profile_is_ignored(tmp_path, profile):
    path = saved(tmp_path, Image.fromarray(BYTES), icc_profile=profile)
    assert_rgb(read_picture(path), BYTES / 255)


def test_a_profile_of_another_colour_model_is_ignored(tmp_path):
    path = saved(tmp_path, Image.fromarray(GREY), icc_profile=p3_profile())
    assert_rgb(read_picture(path), GREY[..., None] / 255)


def test_standard_srgb_profile_changes_at_most_rounding(tmp_path):
    profile = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    path = saved(tmp_path, Image.fromarray(BYTES), icc_profile=profile)
    assert_rgb(read_picture(path), BYTES / 255, 1.01 / 255)


@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_grey_profile_at_8_and_16_bits(tmp_path, dtype):
    stored = np.linspace(0, np.iinfo(dtype).max, 20 * 24).reshape(20, 24).astype(dtype)
    path = saved(tmp_path, Image.fromarray(stored), icc_profile=grey_profile(1.8))
    linear = (stored / np.iinfo(dtype).max) ** 1.8
    expected = np.where(linear <= 0.0031308, 12.92 * linear, 1.055 * linear ** (1 / 2.4) - 0.055)
    assert np.abs(expected - stored / np.iinfo(dtype).max).max() > 0.05
    assert_rgb(read_picture(path), expected[..., None], 0.012)


def test_grey_palette_and_one_bit(tmp_path):
    assert_rgb(read_picture(saved(tmp_path, Image.fromarray(GREY))), GREY[..., None] / 255)
    bits = Image.fromarray(GREY > 127)
    assert bits.mode == "1"
    assert_rgb(read_picture(saved(tmp_path, bits)), (GREY > 127)[..., None])


def test_palette_with_transparent_entries(tmp_path):
    image = Image.new("P", (3, 1))
    image.putpalette([255, 0, 0, 0, 255, 0, 0, 0, 255])
    image.putdata([0, 1, 2])
    picture = read_picture(saved(tmp_path, image, transparency=bytes([0, 128, 255])))
    assert_rgb(picture, np.eye(3)[None])
    np.testing.assert_allclose(picture.alpha, [[0, 128 / 255, 1]], atol=1e-6)


@pytest.mark.parametrize("mode", ["LA", "RGBA"])
def test_alpha_is_kept_apart(tmp_path, mode):
    alpha = BYTES[..., 2]
    image = Image.fromarray(GREY if mode == "LA" else BYTES)
    image.putalpha(Image.fromarray(alpha))
    picture = read_picture(saved(tmp_path, image))
    assert_rgb(picture, GREY[..., None] / 255 if mode == "LA" else BYTES / 255)
    np.testing.assert_allclose(picture.alpha, alpha / 255, atol=1e-6)


def test_cmyk_without_profile(tmp_path):
    ink = Image.fromarray(np.array([[[0, 0, 0, 0], [255, 0, 0, 0], [0, 0, 0, 255]]], np.uint8), "CMYK")
    assert_rgb(read_picture(saved(tmp_path, ink, "a.tif")), [[[1, 1, 1], [0, 1, 1], [0, 0, 0]]])


def test_cmyk_jpeg(tmp_path):
    ink = np.broadcast_to(np.uint8([0, 255, 255, 0]), (32, 32, 4))  # red
    path = saved(tmp_path, Image.fromarray(ink, "CMYK"), "a.jpg", quality=95)
    assert_rgb(read_picture(path), [1, 0, 0], 4 / 255)


@pytest.mark.parametrize("profile", [p3_profile(), b"junk"])
def test_cmyk_with_an_unfit_profile_is_read_without(tmp_path, profile):
    ink = Image.fromarray(np.uint8([[[0, 255, 255, 0]]]), "CMYK")
    assert_rgb(read_picture(saved(tmp_path, ink, "a.tif", icc_profile=profile)), [[[1, 0, 0]]])


def test_cielab_tiff(tmp_path):
    lab = np.array([[[255, 0, 0], [0, 0, 0], [136, 80, 67]]], np.uint8)  # white, black, red; a and b signed
    picture = read_picture(saved(tmp_path, Image.fromarray(lab.copy(), "LAB"), "a.tif"))
    assert picture.rgb[0, 0].min() > 0.98 and picture.rgb[0, 1].max() < 0.02
    assert picture.rgb[0, 2, 0] > 0.8 > 0.3 > picture.rgb[0, 2, 1:].max()


@pytest.mark.parametrize("name, order", [("a.png", "<"), ("a.tif", "<"), ("b.tif", ">")])
def test_16_bit_grey_keeps_every_level(tmp_path, name, order):
    levels = np.arange(65536).reshape(256, 256)
    if order == ">":
        image = Image.frombytes("I;16B", (256, 256), levels.astype(">u2").tobytes())
    else:
        image = Image.fromarray(levels.astype("<u2"))
    picture = read_picture(saved(tmp_path, image, name))
    assert np.unique(picture.rgb).size == 65536
    assert_rgb(picture, levels[..., None] / 65535, 1e-7)


def test_16_bit_grey_in_a_32_bit_mode_and_pgm(tmp_path):
    levels = np.arange(0, 65536, 256, dtype=np.int32).reshape(16, 16) + 255
    assert_rgb(read_picture(Image.fromarray(levels)), levels[..., None] / 65535)
    (tmp_path / "a.pgm").write_bytes(b"P5 16 16 65535\n" + levels.astype(">u2").tobytes())
    assert_rgb(read_picture(tmp_path / "a.pgm"), levels[..., None] / 65535)


def test_16_bit_grey_with_a_transparent_level(tmp_path):
    levels = np.array([[0, 1000], [1001, 65535]], np.uint16)
    picture = read_picture(saved(tmp_path, Image.fromarray(levels), transparency=1000))
    np.testing.assert_array_equal(picture.alpha, [[1, 0], [1, 1]])


def test_float_tiff(tmp_path):
    levels = np.linspace(0, 1, 20 * 24, dtype=np.float32).reshape(20, 24)
    assert_rgb(read_picture(saved(tmp_path, Image.fromarray(levels), "a.tif")), levels[..., None])


@pytest.mark.parametrize("name", ["a.gif", "a.webp", "a.tif"])
def test_of_several_frames_the_first_counts(tmp_path, name):
    first, second = Image.new("RGB", (20, 20), (255, 0, 0)), Image.new("RGB", (20, 20), (0, 0, 255))
    options = {"lossless": True} if name == "a.webp" else {}
    path = saved(tmp_path, first, name, save_all=True, append_images=[second], **options)
    assert_rgb(read_picture(path), [1, 0, 0], 0.01)


def test_pil_images_are_read_and_left_alone(tmp_path):
    image = Image.fromarray(BYTES)
    image.getexif()[0x0112] = 6
    assert_rgb(read_picture(image), np.rot90(BYTES, -1) / 255)
    assert image.size == (24, 20)


@pytest.mark.parametrize(
    "array, rgb, alpha",
    [
        (BYTES, BYTES / 255, None),
        (GREY, GREY[..., None] / 255, None),
        (GREY[..., None], GREY[..., None] / 255, None),
        (BYTES.astype(np.uint16) * 257, BYTES / 255, None),
        (BYTES / 255, BYTES / 255, None),
        (np.float32(BYTES / 255), BYTES / 255, None),
        (GREY > 127, (GREY > 127)[..., None], None),
        (np.dstack([BYTES, GREY]), BYTES / 255, GREY / 255),
        (np.full((20, 24, 3), 1.0005), np.ones(3), None),
    ],
)
def test_arrays(array, rgb, alpha):
    picture = read_picture(array)
    assert_rgb(picture, rgb)
    assert (picture.alpha is None) == (alpha is None)
    if alpha is not None:
        np.testing.assert_allclose(picture.alpha, alpha, atol=1e-6)


def test_an_array_is_copied_and_a_jax_array_accepted():
    import jax.numpy as jnp

    source = np.float32(BYTES / 255)
    read_picture(source).rgb[:] = 0
    assert source.any()
    assert_rgb(read_picture(jnp.asarray(source)), source)
