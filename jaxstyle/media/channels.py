"""Pictures as networks take them: grey, in colours, with alpha, or the channels of a TIFF as they are stored."""

from __future__ import annotations

from typing import Any

import numpy as np
import tifffile

from jaxstyle.errors import JaxstyleError
from jaxstyle.media.colors import luma
from jaxstyle.media.image_decoding import check_floats, check_pixels, is_tiff
from jaxstyle.media.image_reading import PictureLike, name_of, read_visible
from jaxstyle.media.tiff_decoding import quiet

WHITE = 65535
"""Value of 16 bits that is white."""


def read_channels(source: PictureLike, channels: int = 3, white: int = WHITE) -> np.ndarray:
    """Reads a picture for a network.

    Args:
      source: As for `read_picture`.
      channels: 1 (grey), 3 (sRGB), or 4 (sRGB and alpha). Another number, and 4 of a TIFF that holds 4, takes the
        TIFF's channels, of a page or of as many pages, as they are stored.
      white: Value of 16 bits that becomes 1; brighter ones do, too.

    Returns:
      Float32 `[H, W, channels]` in [0, 1].

    Raises:
      JaxstyleError: The picture cannot be read, or has no such channels.
    """
    values = stored_channels(source, channels) if channels not in (1, 3) else None
    if values is not None:
        return brightened(values, white)
    if channels not in (1, 3, 4):
        raise JaxstyleError(f"picture {name_of(source)} is no TIFF, and other pictures have no {channels} channels")
    rgb, alpha = read_visible(source)
    values = brightened(luma(rgb)[..., None] if channels == 1 else rgb, white)
    if channels < 4:
        return values
    return np.dstack([values, np.ones(rgb.shape[:2], np.float32) if alpha is None else alpha])


def brightened(values: np.ndarray, white: int) -> np.ndarray:
    """Multiplies values in [0, 1], of which 1 is 65535 of 16 bits, so that `white` becomes 1."""
    return values if white == WHITE else np.clip(values * np.float32(WHITE / white), 0, 1)


def stored_channels(source: PictureLike, channels: int) -> np.ndarray | None:
    """Reads the channels of a TIFF, `[H, W, channels]` in [0, 1]; None for another file, or for 4 of one without 4.

    Raises `JaxstyleError` where the TIFF has others, is too large or damaged.
    """
    if not is_tiff(source):
        return None
    name = name_of(source)
    try:
        with quiet(), tifffile.TiffFile(source) as tiff:  # type: ignore[arg-type]
            page: Any = tiff.pages[0]
            check_pixels(page.imagewidth, page.imagelength, name)
            values, axes = tiff.series[0].asarray(), tiff.series[0].axes
    except JaxstyleError:
        raise
    except Exception as error:  # of damaged files tifffile raises anything
        raise JaxstyleError(f"picture {name} cannot be read, it may be damaged or cut short: {error}") from error
    place = 3 - axes.index("Y") - axes.index("X") if values.ndim == 3 else 0  # of the channels among the three
    held = values.shape[place] if values.ndim == 3 else 1
    if held != channels:
        if channels == 4:
            return None
        raise JaxstyleError(f"picture {name} has {held} channel{'s' * (held != 1)}, not {channels}")
    if values.dtype.kind == "u":
        values = values / np.float32(np.iinfo(values.dtype).max)
    else:
        values = check_floats(values, f"picture {name}")
    return np.moveaxis(values, place, -1).astype(np.float32)
