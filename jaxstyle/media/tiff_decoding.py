"""Decodes by tifffile the TIFFs that Pillow refuses or misreads: floats, 32 bits, and planes apart."""

from __future__ import annotations

import contextlib
import logging
import os
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np
import tifffile
from PIL import Image

from jaxstyle.errors import JaxstyleError
from jaxstyle.media.image_decoding import Picture, check_floats, check_pixels, is_tiff, to_srgb
from jaxstyle.media.image_writing import srgb_profile

COLORS = {0: 1, 1: 1, 2: 3}  # samples of a colour by the tag PhotometricInterpretation: grey (0 is white or black), RGB
SEPARATE, FLOAT, UNSIGNED = 2, 3, 1  # values of the tags PlanarConfiguration and SampleFormat
PREMULTIPLIED, STRAIGHT = 1, 2  # values of the tag ExtraSamples that are an alpha
# What makes a picture upright, by the tag Orientation (TIFF 6.0, page 36).
UPRIGHT: Mapping[int, Callable[[np.ndarray], np.ndarray]] = {
    2: lambda values: values[:, ::-1],
    3: lambda values: values[::-1, ::-1],
    4: lambda values: values[::-1],
    5: lambda values: values.swapaxes(0, 1),
    6: lambda values: np.rot90(values, -1),
    7: lambda values: values[::-1, ::-1].swapaxes(0, 1),
    8: lambda values: np.rot90(values, 1),
}


def decode_tiff(path: str | os.PathLike, name: str) -> Picture | None:
    """Decodes the first picture of a TIFF, to all its bits: grey or RGB, with or without alpha, planes in any layout.

    `name` stands in error messages. Returns None where the file is no TIFF, or is one that Pillow reads. Raises
    `JaxstyleError` where the picture is too large, is compressed in a way that tifffile does not know, has more
    channels, or holds floats outside [0, 1].
    """
    try:
        if not is_tiff(path):
            return None
        with quiet(), tifffile.TiffFile(path) as tiff:
            page: Any = tiff.pages[0]
            return None if _pillow_reads(page) else _decode_page(page, name)
    except JaxstyleError:
        raise
    except Exception as error:  # of damaged files tifffile raises anything
        if "imagecodecs" not in str(error):
            return None  # Pillow's own complaint is the better one
        raise JaxstyleError(
            f"picture {name} is a TIFF of a kind whose compression, {page.compression.name}, is not read: "
            "save it without, or by ZIP"
        ) from error


@contextlib.contextmanager
def quiet() -> Iterator[None]:
    """Keeps tifffile's log of damage off the terminal; what counts is raised."""
    logger = logging.getLogger("tifffile")
    before, logger.disabled = logger.disabled, True
    try:
        yield
    finally:
        logger.disabled = before


def _pillow_reads(page: Any) -> bool:
    samples, bits = page.samplesperpixel, page.bitspersample
    if page.photometric not in COLORS:  # palettes, CMYK, CIELAB and the like
        return True
    if samples == 1:
        return page.sampleformat != FLOAT or bits == 32
    together = page.planarconfig != SEPARATE
    most = 16 if together and samples > 2 else 8 if together or samples > 2 else 0
    return page.sampleformat == UNSIGNED and bits <= most


def _decode_page(page: Any, name: str) -> Picture:
    check_pixels(page.imagewidth, page.imagelength, name)
    values = _upright(page, _channels_last(page, name))
    colors, alpha = COLORS[page.photometric], None
    rgb = np.repeat(values[..., :1], 3, -1) if colors == 1 else values[..., :3]
    if page.photometric == 0:
        rgb = 1 - rgb
    kind = page.extrasamples[0] if page.extrasamples else 0
    if kind in (PREMULTIPLIED, STRAIGHT):
        alpha = values[..., colors].astype(np.float32)
    if alpha is not None and kind == PREMULTIPLIED:
        rgb = np.divide(rgb, alpha[..., None], out=np.zeros_like(rgb), where=alpha[..., None] > 0).clip(0, 1)
    if page.iccprofile and page.iccprofile != srgb_profile():  # profiles are applied at 8 bits
        image = Image.fromarray(np.rint(255 * rgb).astype(np.uint8))
        image.info["icc_profile"] = page.iccprofile
        rgb = np.asarray(to_srgb(image)) / 255
    return Picture(rgb.astype(np.float32), alpha)


def _channels_last(page: Any, name: str) -> np.ndarray:
    """Decodes `[H, W, samples]`, floats in [0, 1]."""
    most = COLORS[page.photometric] + 1
    if page.axes not in ("YX", "YXS", "SYX") or page.samplesperpixel > most:
        raise JaxstyleError(
            f"picture {name} is a TIFF of {page.samplesperpixel} channels in {page.axes}; save it as grey or RGB, with "
            "at most an alpha"
        )
    values = page.asarray()
    values = np.moveaxis(values, 0, -1) if page.axes == "SYX" else values.reshape(*values.shape[:2], -1)
    if values.dtype.kind == "u":
        return values / np.float64(2**page.bitspersample - 1)
    return check_floats(values, f"picture {name}").astype(np.float64)


def _upright(page: Any, values: np.ndarray) -> np.ndarray:
    orientation = page.tags.get("Orientation")
    turn = UPRIGHT.get(orientation.value) if orientation is not None else None
    return values if turn is None else turn(values)
