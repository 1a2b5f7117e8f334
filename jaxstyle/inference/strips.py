"""A network applied to a picture in strips, in the memory of one strip: the same result as in one go, with no seams.

Networks that normalise by the statistics of a whole picture cannot be applied to one tile after another. But between
two normalisations all is local. So each segment of the network is applied to strips of rows that overlap by its
receptive field; its output is cropped, its statistics are merged over the strips, and the next segment normalises by
them. The output of a segment is kept on the host where it is no larger than `KEPT` numbers a pixel of the picture;
elsewhere it is computed again for the next one.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Sequence
from fractions import Fraction
from typing import Any, NamedTuple

import jax
import numpy as np
from jax import lax

from jaxstyle.models.style_network import Segment
from jaxstyle.runtime import compiling

KEPT = 28  # numbers a pixel of the picture

Carry = tuple[Any, ...]  # arrays [N, h, w, …] of the same rows


class Strip(NamedTuple):
    """A strip of a stretch of segments: rows of its output, and the input rows they are computed from.

    Attributes:
      first: First output row.
      rows: Number of output rows.
      start: First input row.
      given: Number of input rows, the same for every strip, so that at most two programs are compiled.
    """

    first: int
    rows: int
    start: int
    given: int


def run(network: Any, params: Any, carry: Carry, style: Any, rows: int) -> np.ndarray:
    """Applies a network to pictures in strips.

    Args:
      network: A Flax module with the `segment`, `statistics`, `merge`, `segments` and `multiple` of `StyleNetwork`.
      params: Its parameters.
      carry: Input of its first segment, NumPy arrays `[N, H, W, …]`; sides multiples of `network.multiple`.
      style: Last argument of every segment.
      rows: Of the picture in a strip, rounded up to a multiple of `network.multiple`.

    Returns:
      `[N, H, W, 3]`.
    """
    rows = -(-rows // network.multiple) * network.multiple
    height = carry[0].shape[1]
    params, style = jax.device_put((params, style))
    first, at, known = 0, Fraction(1), [None]  # `carry` is the input of segment `first`, `at` its scale
    for end, segment in enumerate(network.segments, 1):
        through = network.segments[first:end]
        scale = at * math.prod(Fraction(each.scale) for each in through)
        keep = end == len(network.segments) or segment.floats * scale**2 <= KEPT
        made: list[np.ndarray] = []
        statistics = []
        for strip in strips(through, carry[0].shape[1], int(rows * scale)):
            part = tuple(leaf[:, strip.start : strip.start + strip.given] for leaf in carry)
            offset = strip.first - int(strip.start * scale / at)
            out, local_statistics = program()(network, first, end, strip.rows, params, part, known, style, offset)
            if keep:
                made = made or [np.empty((len(x), int(height * scale), *x.shape[2:]), x.dtype) for x in out]
                for whole, x in zip(made, out, strict=True):
                    whole[:, strip.first : strip.first + strip.rows] = x
            statistics.append(jax.device_get(local_statistics))
        known = [*known, None if statistics[0] is None else jax.device_get(network.merge(statistics))]
        if keep:
            carry, first, at, known = tuple(made), end, scale, known[-1:]
    return carry[0]


@functools.cache
def program() -> Any:
    """`local`, compiled for each stretch of segments and size of strip."""
    return compiling.jit(local, static_argnums=(0, 1, 2, 3))


def local(
    network: Any, first: int, end: int, rows: int, params: Any, carry: Carry, known: list, style: Any, offset: int
) -> tuple[Carry, Any]:
    """Some segments in a row on a strip, by known statistics: the output rows, and their own statistics."""
    for index, statistics in zip(range(first, end), known, strict=True):
        carry = network.apply({"params": params}, index, carry, statistics, style, method="segment")
    carry = tuple(lax.dynamic_slice_in_dim(leaf, offset, rows, 1) for leaf in carry)
    return carry, network.statistics(end, carry) if end < len(network.segments) else None


def strips(segments: Sequence[Segment], height: int, rows: int) -> list[Strip]:
    """Divides a stretch of segments into strips.

    Args:
      segments: Consecutive segments of a network.
      height: Input rows in all.
      rows: Output rows in a strip; the last strip may have fewer.
    """
    scales = [Fraction(segment.scale) for segment in segments]
    total = int(height * math.prod(scales))
    reached = [math.prod(scales[: i + 1]) for i in range(len(scales))]
    align = max(scale.denominator for scale in reached)  # a strip must be halved where the whole picture is
    cuts = []
    for first in range(0, total, rows):
        last = min(first + rows, total)
        start, stop = needed(segments, first, last)
        cuts.append((first, last - first, max(0, start // align * align), min(height, -(-stop // align) * align)))
    given = max(stop - start for *_, start, stop in cuts)
    return [Strip(first, made, min(start, height - given), given) for first, made, start, _ in cuts]


def needed(segments: Sequence[Segment], first: int, last: int) -> tuple[int, int]:
    """First and last input rows on which the output rows from `first` to `last` depend, perhaps beyond the frame."""
    for segment in reversed(segments):
        scale = Fraction(segment.scale)
        first, last = math.floor(first / scale) - segment.halo, math.ceil(last / scale) + segment.halo
    return first, last
