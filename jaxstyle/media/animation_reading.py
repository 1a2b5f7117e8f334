"""Reads animations (GIF, APNG, WebP, AVIF) by Pillow: their frames, how long each lasts, and what is damaged."""

from __future__ import annotations

import itertools
import os
from collections.abc import Generator
from fractions import Fraction
from typing import Any, NamedTuple

import numpy as np
from PIL import Image

from jaxstyle.errors import JaxstyleError
from jaxstyle.media.image_decoding import check_pixels, open_image

FORMATS = ("GIF", "PNG", "WEBP", "AVIF")
STILL = 100  # milliseconds that a frame lasts which tells no time, as browsers have it


class Frame(NamedTuple):
    """A frame of an animation.

    Attributes:
      pixels: `[H, W, 3]` uint8, or `[H, W, 4]` where it is transparent somewhere.
      lasts: How long it is shown, in seconds.
    """

    pixels: np.ndarray
    lasts: Fraction


def is_animation(path: str | os.PathLike) -> bool:
    """Tells whether a file is a picture of several frames, damaged ones included; False of a file that is none."""
    try:
        with open_image(path, repr(str(path))) as picture:
            return picture.format in FORMATS and _has_second_frame(picture)
    except JaxstyleError:
        return False


def _has_second_frame(picture: Image.Image) -> bool:
    try:
        picture.seek(_first(picture) + 1)
    except EOFError:
        return False
    except Exception:  # decoders raise anything for damaged files
        return True
    return True


def _first(picture: Image.Image) -> int:
    """Returns the number of the first frame; an APNG may hold a still before it, for viewers that know no APNG."""
    return int(bool(picture.info.get("default_image")))


def read_frames(path: str | os.PathLike) -> Generator[Frame | str]:
    """Decodes the frames of an animation one by one.

    Yields:
      A frame, or a sentence that says why it cannot be read.

    Raises:
      JaxstyleError: The file is no picture.
    """
    name = repr(str(path))
    with open_image(path, name) as picture:
        check_pixels(*picture.size, name)
        first = _first(picture)
        for number in itertools.count():
            try:
                picture.seek(first + number)
            except EOFError:
                return
            except Exception as error:  # of a file cut short; nothing behind it can be found
                yield f"frame {number + 1} of {name} and what follows cannot be read, it may be cut short: {error}"
                return
            try:
                frame = Frame(_pixels(picture), _milliseconds(picture.info.get("duration") or STILL))
            except Exception as error:  # decoders raise anything for damaged files
                yield f"frame {number + 1} of {name} cannot be read, it may be damaged: {error}"
            else:
                yield frame


def _pixels(picture: Any) -> np.ndarray:
    picture.load()
    if picture.has_transparency_data:
        pixels = np.asarray(picture.convert("RGBA"))
        if pixels[..., 3].min() < 255:
            return pixels
    return np.asarray(picture.convert("RGB"))


def _milliseconds(duration: float) -> Fraction:
    return Fraction(duration).limit_denominator(1000) / 1000
