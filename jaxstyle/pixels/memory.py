"""How much memory a run will need, and how much there is: asked before anything expensive starts."""

from __future__ import annotations

import math
import pathlib

import jax
import numpy as np

from jaxstyle.features import Features
from jaxstyle.pixels.config import StyleTransferConfig
from jaxstyle.pixels.schedule import Stage

# A step's temporaries over the sum of all activations: measured 0.81 (Gram) and 0.91 (Wasserstein-2) with VGG-19 at
# 512 px on CPU; the rest is for what the allocator does not give back in time.
OVERHEAD = 1.1
# With rematerialisation the largest block is live together with every block's output.
REMAT_OVERHEAD = 0.7
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
    names = features.network.taps
    deepest = max(names.index(tap) for tap in taps)
    image = jax.ShapeDtypeStruct((1, stage.height, stage.width, 3), np.float32)
    _, seen = jax.eval_shape(
        lambda image: features.network.apply({"params": features.params}, image, names[: deepest + 1]), image
    )
    activations = sum(math.prod(leaf.shape) for leaf in seen.values()) * (2 if dtype == "bfloat16" else 4)
    weights = sum(leaf.nbytes for leaf in jax.tree.leaves(features.params))
    picture = PICTURES_HELD * stage.height * stage.width * 3 * 4
    spread = 1 if jax.default_backend() == "cpu" else min(count, devices or jax.local_device_count())
    each = activations * (REMAT_OVERHEAD if remat else OVERHEAD) + picture
    return weights + each * math.ceil(count / spread)


def largest_batch(features: Features, config: StyleTransferConfig, stage: Stage, points: int) -> int:
    """How many contents, each at `points` points of a sweep, run at once in half of all memory; at least one.

    Of all memory, not of what is free now: a resumed run must be made of the same batches.
    """
    room = capacity()
    if room is None:
        return 1024
    taps = config.content_layers + config.style_layers
    one, two = (estimate(features, taps, stage, n, config.dtype, 1) for n in (points, 2 * points))
    devices = 1 if jax.default_backend() == "cpu" else config.devices or jax.local_device_count()
    return max(1, int((room / 2 - (2 * one - two)) / (two - one))) * devices


def capacity() -> float | None:
    """All bytes of a device (on CPU: of the machine), or None where nobody says."""
    if jax.default_backend() != "cpu":
        return (jax.local_devices()[0].memory_stats() or {}).get("bytes_limit")
    return system_memory("MemTotal")


def available() -> float | None:
    """Bytes free on a device (on CPU: in the machine, within its control group), or None where nobody says."""
    if jax.default_backend() != "cpu":
        statistics = jax.local_devices()[0].memory_stats() or {}
        limit = statistics.get("bytes_limit")
        return None if limit is None else limit - statistics.get("bytes_in_use", 0)
    rooms = [room for room in (system_memory("MemAvailable"), group_memory()) if room is not None]
    return min(rooms, default=None)


def system_memory(entry: str) -> float | None:
    """An entry of the system's memory table, in bytes: `MemTotal`, or `MemAvailable` without swapping."""
    try:
        lines = pathlib.Path("/proc/meminfo").read_text().splitlines()
    except OSError:
        return None
    sizes = {line.partition(":")[0]: line.split()[1] for line in lines}
    return float(sizes[entry]) * 1024 if entry in sizes else None


def group_memory() -> float | None:
    """What the control group (a container's limit) leaves; file pages it could drop count as free."""
    group = pathlib.Path("/sys/fs/cgroup")
    try:
        limit = (group / "memory.max").read_text().strip()
        statistics = dict(line.split() for line in (group / "memory.stat").read_text().splitlines())
    except OSError:
        return None
    return None if limit == "max" else float(limit) - float(statistics.get("anon", 0))
