"""Reads pictures, masks and the settings inside them: whatever Pillow opens becomes float32 sRGB."""

from __future__ import annotations

import contextlib
import io
import json
import os
from typing import Any

import numpy as np
from PIL import Image

from jaxstyle.errors import JaxstyleError
from jaxstyle.media.alpha import FAINT, fill_invisible
from jaxstyle.media.colors import luma
from jaxstyle.media.examples import example
from jaxstyle.media.image_decoding import Picture, decode, from_array, open_image
from jaxstyle.media.image_resizing import check_size
from jaxstyle.media.tiff_decoding import decode_tiff

DARK = 1 / 8  # what a mask's brightest value must reach, or the mask holds numbers and no shades
PictureLike = str | os.PathLike | Image.Image | io.BytesIO | np.ndarray


def read_picture(source: PictureLike) -> Picture:
    """Reads the picture in a file, PIL image or array, upright and in sRGB.

    EXIF orientation is applied; an embedded ICC profile is converted to sRGB (relative colorimetric with
    black point compensation) and ignored where it is broken; 16-bit grey keeps its precision, and so do floats; 16-bit
    colour is read at 8 bits; of an animation or a multi-page file the first frame counts.

    Args:
      source: A path, `"example:NAME"` (see `jaxstyle.media.examples`), a PIL image, a file's bytes, or an array
        `[H, W]`, `[H, W, 3]` or `[H, W, 4]`: floats in [0, 1], bool, uint8 or uint16.

    Returns:
      The `Picture`.

    Raises:
      JaxstyleError: The file is missing, empty, damaged, no picture or too large; the array is another kind.
    """
    if isinstance(source, str) and source.startswith("example:"):
        return Picture(example(source.removeprefix("example:")), None)
    name = name_of(source)
    if isinstance(source, (str, os.PathLike)) and (picture := decode_tiff(source, name)) is not None:
        return picture
    if isinstance(source, (str, os.PathLike, Image.Image, io.BytesIO)):
        with open_image(source, name) as image:
            return decode(image, name)
    return from_array(np.asarray(source))


def read_visible(source: PictureLike) -> Picture:
    """Reads a picture for a network: as `read_picture`, with other colours for what is invisible (`fill_invisible`)."""
    rgb, alpha = read_picture(source)
    return Picture(fill_invisible(rgb, alpha), alpha)


def name_of(source: PictureLike) -> str:
    """Names a picture in error messages, as the user wrote it."""
    if isinstance(source, Image.Image):
        return repr(getattr(source, "filename", "")) if getattr(source, "filename", "") else "(a PIL image)"
    if isinstance(source, io.BytesIO):
        return repr(getattr(source, "name", "(bytes)"))
    return repr(os.fspath(source)) if isinstance(source, (str, os.PathLike)) else "(an array)"


def read_large(source: PictureLike, name: str) -> Picture:
    """Reads a picture that is large enough to be stylised, or to be a style.

    Args:
      source: As for `read_picture`.
      name: Its part in a job, for sentences, where it is no path.

    Raises:
      JaxstyleError: It is a folder, cannot be read, is invisible all over, or is too small or too thin (`check_size`).
    """
    if isinstance(source, (str, os.PathLike)):
        if os.path.isdir(source):
            raise JaxstyleError(f"the {name} {os.fspath(source)!r} is a folder; name a picture")
        name = os.fspath(source)
    picture = read_visible(source)
    height, width = picture.rgb.shape[:2]
    check_size(height, width, name)
    if picture.alpha is not None and picture.alpha.max() < FAINT:
        raise JaxstyleError(f"{name} is invisible all over: its alpha channel is 0; give it one that shows something")
    return picture


def read_mask(source: PictureLike) -> np.ndarray:
    """Reads a picture as a mask: its luma, times its alpha where it has one.

    A mask of two values, black and one that the eye takes for black (0 and 1 as class numbers, such as `jaxstyle
    segment` writes), is stretched to 0 and 1.

    Args:
      source: As for `read_picture`.

    Returns:
      Float32 `[H, W]` in [0, 1].

    Raises:
      JaxstyleError: As `read_picture`, or the brightest of three or more values is nearly black.
    """
    rgb, alpha = read_picture(source)
    mask = luma(rgb) if alpha is None else luma(rgb) * alpha
    brightest = mask.max()
    if not 0 < brightest < DARK:
        return mask
    if np.unique(mask[mask > 0]).size > 1:
        raise JaxstyleError(
            f"the mask {name_of(source)} is nearly black: its brightest value is {255 * brightest:.3g} of 255; a mask "
            "is white where it counts, so of class numbers make one 255 and the others 0"
        )
    return mask / brightest


def read_settings(path: str | os.PathLike) -> dict[str, Any] | None:
    """Reads the settings that `write_picture` recorded in a file; None where there are none.

    Args:
      path: A picture file.

    Returns:
      The settings as they were given, after JSON.

    Raises:
      JaxstyleError: As `read_picture`.
    """
    with open_image(path, repr(os.fspath(path))) as image, contextlib.suppress(Exception):  # foreign EXIF
        settings = json.loads(image.getexif()[0x010E])
        return settings if isinstance(settings, dict) else None
    return None
