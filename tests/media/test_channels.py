"""Pictures with other channels than three: grey, alpha, and the bands of a TIFF; the value that is white."""

import numpy as np
import pytest
import tifffile
from PIL import Image

from jaxstyle.errors import JaxstyleError
from jaxstyle.media.channels import read_channels


@pytest.fixture
def rgba(tmp_path):
    pixels = np.random.default_rng(0).integers(0, 256, (6, 5, 4), np.uint8)
    pixels[..., 3] = np.maximum(pixels[..., 3], 50)  # what is invisible has its colours filled in
    Image.fromarray(pixels).save(tmp_path / "a.png")
    return tmp_path / "a.png", pixels


def test_alpha_is_kept_where_four_channels_are_wanted(rgba):
    path, pixels = rgba
    np.testing.assert_allclose(read_channels(path, 4) * 255, pixels, atol=1e-4)
    np.testing.assert_allclose(read_channels(path, 3) * 255, pixels[..., :3], atol=1e-4)
    grey = np.asarray(Image.fromarray(pixels[..., :3]).convert("L"))
    np.testing.assert_allclose(read_channels(path, 1)[..., 0] * 255, grey, atol=0.51)  # Pillow rounds
    assert (read_channels(pixels[..., :3], 4)[..., 3] == 1).all()


@pytest.mark.parametrize(
    ("dtype", "layout"),
    [(np.uint8, "contig"), (np.uint16, "separate"), (np.uint16, "pages"), (np.float32, "contig")],
)
@pytest.mark.parametrize("channels", [2, 4, 13])
def test_the_bands_of_a_tiff(tmp_path, dtype, layout, channels):
    bands = np.random.default_rng(1).uniform(size=(9, 7, channels))
    most = 1 if dtype == np.float32 else np.iinfo(dtype).max
    stored = (bands * most).astype(dtype)
    options = {"photometric": "minisblack", "compression": "zlib"}
    options |= {"planarconfig": layout} if layout != "pages" else {"metadata": {"axes": "CYX"}}
    tifffile.imwrite(tmp_path / "a.tif", stored if layout == "contig" else np.moveaxis(stored, -1, 0), **options)
    found = read_channels(tmp_path / "a.tif", channels)
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, stored / most, atol=1e-6)


def test_white_of_sixteen_bits(tmp_path):
    values = np.array([[0, 1000, 4000, 5000]], np.uint16).repeat(4, 0)
    Image.fromarray(values).save(tmp_path / "radar.png")
    found = read_channels(tmp_path / "radar.png", 1, white=4000)
    np.testing.assert_allclose(found[0, :, 0], [0, 0.25, 1, 1], atol=1e-5)
    np.testing.assert_allclose(read_channels(tmp_path / "radar.png", 3)[0, 1], 1000 / 65535, atol=1e-6)


def test_channels_that_are_not_there_are_told(rgba, tmp_path):
    with pytest.raises(JaxstyleError, match=r"a\.png' is no TIFF, and other pictures have no 5 channels"):
        read_channels(rgba[0], 5)
    tifffile.imwrite(
        tmp_path / "b.tif", np.zeros((6, 8, 8), np.uint8), photometric="minisblack", planarconfig="separate"
    )
    with pytest.raises(JaxstyleError, match=r"b\.tif' has 6 channels, not 5"):
        read_channels(tmp_path / "b.tif", 5)
    (tmp_path / "b.tif").write_bytes((tmp_path / "b.tif").read_bytes()[:60])
    with pytest.raises(JaxstyleError, match=r"b\.tif"):
        read_channels(tmp_path / "b.tif", 6)
