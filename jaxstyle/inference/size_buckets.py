"""Arrays of few sizes for photos of many, so that one compiled program stylises all of them."""

from __future__ import annotations

import numpy as np


def bucket(side: int) -> int:
    """A side of the arrays in which pictures are stylised: the next of four, nearly even steps an octave, from 64."""
    step = max(16, 2 ** (side - 1).bit_length() // 8)
    return -(-side // step) * step


def in_bucket(carry: tuple[np.ndarray, ...], multiple: int) -> tuple[np.ndarray, ...]:
    """A photo and its shares in arrays of `bucket`'s sides, and the photo's sides `[2]`.

    Like any network's input the photo is padded by reflection to multiples of its strides. Beyond, shares are 0, so
    that no statistics count what is there.
    """
    height, width = carry[0].shape[:2]
    more = -height % multiple, -width % multiple
    rest = [bucket(side) - side - added for side, added in zip((height, width), more, strict=True)]
    frames = [[(0, rows), (0, columns), (0, 0)] for rows, columns in (more, rest)]
    padded = (np.pad(np.pad(leaf, frames[0], mode="reflect"), frames[1]) for leaf in carry)
    return *padded, np.array([height + more[0], width + more[1]], np.int32)
