"""A batch of independent pictures sharded over devices: `[N, …]` on the host, `[devices, per_device, …]` on them."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from typing import Any

import jax
import numpy as np
from jax.sharding import Mesh, NamedSharding, PartitionSpec

from jaxstyle.errors import JaxstyleError
from jaxstyle.runtime import compiling

AXIS = "pictures"


def choose_devices(count: int | None = None) -> list[jax.Device]:
    """The first `count` local devices, or all of them; raises `JaxstyleError` where there are fewer."""
    devices = jax.local_devices()
    if count is None:
        return devices
    if not 1 <= count <= len(devices):
        raise JaxstyleError(f"{count} devices asked for, and there are {len(devices)}: choose 1 to {len(devices)}")
    return devices[:count]


class BatchSharding:
    """The sharding of a batch: which pictures lie on which device.

    No device gets more pictures than it must, and only as many devices are used as that takes. A batch that does
    not divide evenly is filled up with repeats of its first pictures, which `gather` drops.

    Args:
      count: Number of pictures N.
      devices: Over which they are sharded.
    """

    def __init__(self, count: int, devices: Sequence[jax.Device]):
        self.count = count
        self.per_device = math.ceil(count / len(devices))
        self.devices = list(devices[: math.ceil(count / self.per_device)])
        mesh = Mesh(np.array(self.devices), (AXIS,))
        self.split = NamedSharding(mesh, PartitionSpec(AXIS))
        self.everywhere = NamedSharding(mesh, PartitionSpec())

    def scatter(self, tree: Any) -> Any:
        """Arrays `[N, …]` put on the devices as `[devices, per_device, …]`."""
        size = len(self.devices) * self.per_device
        filled = np.arange(size) % self.count

        def place(leaf: Any) -> jax.Array:
            leaf = np.asarray(leaf)[filled]
            shape = (len(self.devices), self.per_device, *leaf.shape[1:])  # no -1: a leaf may be empty
            return jax.device_put(leaf.reshape(shape), self.split)

        return jax.tree.map(place, tree)

    def replicate(self, tree: Any) -> Any:
        """Arrays copied whole to every device, once: a `pmap` argument that lies elsewhere is copied every step."""
        return jax.device_put(tree, self.everywhere)

    def gather(self, tree: Any) -> Any:
        """The reverse of `scatter`: NumPy arrays `[N, …]`."""
        size = len(self.devices) * self.per_device
        return jax.tree.map(lambda leaf: np.asarray(leaf).reshape(size, *leaf.shape[2:])[: self.count], tree)


def sharded_map(
    function: Callable[..., Any],
    devices: Sequence[jax.Device],
    in_axes: tuple[int | None, ...],
    donate: tuple[int, ...] = (),
    quick: bool = False,
) -> compiling.Program:
    """`function` of one picture, `vmap`ped over the pictures of a device and `pmap`ped over the devices.

    Args:
      function: Pure function whose arguments are pytrees of one picture.
      devices: The devices of the `BatchSharding` that scattered the arguments.
      in_axes: One entry an argument: 0 for scattered ones, None for those that all pictures share.
      donate: Positions of arguments whose memory the result may reuse.
      quick: Whether it is compiled for a few runs, see `compiling.QUICK`.
    """
    batched = jax.vmap(function, in_axes=in_axes)
    return compiling.pmap(batched, axis_name=AXIS, in_axes=in_axes, donate_argnums=donate, devices=devices, quick=quick)
