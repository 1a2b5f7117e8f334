"""Example pictures made by code, so that the first command needs no file: a photo and two paintings."""

from __future__ import annotations

import functools
from collections.abc import Callable

import numpy as np

from jaxstyle.errors import JaxstyleError, did_you_mean
from jaxstyle.media.examples.brushwork import brushwork
from jaxstyle.media.examples.landscape import landscape
from jaxstyle.media.examples.mosaic import mosaic

EXAMPLES: dict[str, Callable[[int], np.ndarray]] = {"landscape": landscape, "brushwork": brushwork, "mosaic": mosaic}


@functools.lru_cache(maxsize=8)
def example(name: str, size: int = 512) -> np.ndarray:
    """Makes an example picture, once, and keeps it; the array is read-only.

    Args:
      name: A key of `EXAMPLES`: `"landscape"` is a photo-like content picture, the others are styles.
      size: The longer side in pixels.

    Returns:
      Float32 `[round(0.75 * size), size, 3]`, sRGB in [0, 1].

    Raises:
      JaxstyleError: There is no example of that name.
    """
    if name not in EXAMPLES:
        raise JaxstyleError(f"there is no example picture {name!r}: {did_you_mean(name, EXAMPLES)}")
    picture = EXAMPLES[name](size)
    picture.setflags(write=False)
    return picture
