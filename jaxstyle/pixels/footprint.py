"""Estimates of the memory that a run will need, compared with what there is before anything expensive starts."""

from __future__ import annotations

import functools
import math

import flax.linen as nn
import jax
import numpy as np

from jaxstyle.errors import JaxstyleError
from jaxstyle.features import VGG, Features
from jaxstyle.pixels.schedule import Stage
from jaxstyle.runtime import memory
from jaxstyle.runtime.settings import named

# A step's temporaries over the sum of all activations: measured 0.81 (Gram) and 0.91 (Wasserstein-2) with VGG-19 at
# 512 px on CPU; the rest is for what the allocator does not give back in time.
OVERHEAD = 1.1
# With rematerialisation the largest block is live together with every block's output.
REMAT_OVERHEAD = 0.7
# Of a forward pass alone, over the same sum: measured 0.53 with VGG-19 at 256 and 512 px on CPU.
FORWARD = 0.6
PICTURES_HELD = 12  # the picture, its gradient, Adam's two moments, the average, targets, copies while they change


def estimate(
    features: Features,
    taps: tuple[str, ...],
    stage: Stage,
    count: int,
    dtype: str,
    devices: int | None,
    remat: bool = False,
) -> float:
    """Bytes one device needs for a step of its share of `count` pictures at a stage.

    On CPU the "devices" share one memory, so there it is the whole batch's need.
    """
    activations = activation_bytes(features, taps, (stage.height, stage.width), dtype)
    weights = sum(leaf.nbytes for leaf in jax.tree.leaves(features.params))
    picture = PICTURES_HELD * stage.height * stage.width * 3 * 4
    spread = 1 if jax.default_backend() == "cpu" else min(count, devices or jax.local_device_count())
    each = activations * (REMAT_OVERHEAD if remat else OVERHEAD) + picture
    return weights + each * math.ceil(count / spread)


def estimate_forward(features: Features, taps: tuple[str, ...], shape: tuple[int, int], dtype: str) -> float:
    """Bytes of a forward pass of one picture of a `(height, width)`, without a gradient."""
    return FORWARD * activation_bytes(features, taps, shape, dtype)


def activation_bytes(features: Features, taps: tuple[str, ...], shape: tuple[int, int], dtype: str) -> int:
    """Bytes of all activations of one picture of a `(height, width)`, as far as the deepest of `taps`."""
    if not taps:
        return 0
    names = features.network.taps
    deepest = max(names.index(tap) for tap in taps)
    image = jax.ShapeDtypeStruct((1, *shape, 3), np.float32)
    _, seen = jax.eval_shape(
        lambda image: features.network.apply({"params": features.params}, image, names[: deepest + 1]), image
    )
    return sum(math.prod(leaf.shape) for leaf in seen.values()) * (2 if dtype == "bfloat16" else 4)


def fit(
    features: Features, taps: tuple[str, ...], stage: Stage, count: int, dtype: str, devices: int | None
) -> nn.Module:
    """The network for a run of `count` pictures at a stage: it works activations out twice where memory is short.

    Raises:
      JaxstyleError: It is too short even so; the sentence gives the estimate.
    """
    need = functools.partial(estimate, features, taps, stage, count, dtype, devices)
    room = memory.available()
    if room is None or need() <= room:
        return features.network
    can_remat = isinstance(features.network, VGG) and jax.default_backend() != "cpu"
    if can_remat and need(remat=True) <= room:
        return features.network.clone(remat=True)
    raise JaxstyleError(
        f"{count} picture(s) of {stage.width}×{stage.height} px with features {features.name!r} need some "
        f"{need() / 2**30:.1f} GiB and {room / 2**30:.1f} GiB are free: lower {named('size')}"
        + (f", or use {named('dtype')} bfloat16" if dtype == "float32" else "")
    )


def largest_batch(
    features: Features, taps: tuple[str, ...], stage: Stage, points: int, dtype: str, devices: int | None
) -> int:
    """Returns the number of items, of `points` pictures each, that run at once in half of all memory; at least one.

    Of all memory, not of what is free now: a resumed run must be made of the same batches.
    """
    room = memory.capacity()
    if room is None:
        return 1024
    one, two = (estimate(features, taps, stage, n, dtype, 1) for n in (points, 2 * points))
    used = 1 if jax.default_backend() == "cpu" else devices or jax.local_device_count()
    return max(1, int((room / 2 - (2 * one - two)) / (two - one))) * used
