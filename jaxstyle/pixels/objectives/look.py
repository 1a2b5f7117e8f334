"""An objective as the loop wants it: the picture transformed, seen by the network, scored; the loss is minus that."""

from __future__ import annotations

import dataclasses
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from jaxstyle.pixels.objectives.algebra import Objective, Seen
from jaxstyle.pixels.transforms import Transform, compose


class View(NamedTuple):
    """What `Look` needs of one picture (or group) at one scale.

    Attributes:
      objective: What to make large.
      reference: `[H, W, 3]` in [0, 1], which comparing objectives compare with; None where none does.
      mask: `[H, W]` in [0, 1], how readily each pixel moves; None lets all move.
    """

    objective: Objective
    reference: Any = None
    mask: Any = None


@dataclasses.dataclass(frozen=True)
class Look:
    """`(pictures, view, network parameters, key) -> (loss, terms)`; equal ones share compiled programs.

    Terms have the sign of the objective: they rise, and the loss is minus their sum.

    Attributes:
      network: The Flax module of the features.
      transforms: Applied to what the network sees, the reference included, in this order.
      dtype: In which the network computes.
      tile: Longest side of the tiles in which a larger picture is looked at, one by one, in pixels; None looks at the
        whole. A step then needs the memory of one tile, and every activation is worked out twice. A score is the mean
        of the tiles' scores. The few rows and columns that equal tiles do not cover are passed over in that step.
    """

    network: Any
    transforms: tuple[Transform, ...] = ()
    dtype: str = "float32"
    tile: int | None = None

    def __call__(self, image: jax.Array, view: View, params: Any, key: jax.Array) -> tuple[jax.Array, dict[str, Any]]:
        """The loss and its terms.

        Args:
          image: `[H, W, 3]`, or a group `[B, H, W, 3]`, in [0, 1].
          view: The objective and what belongs to it.
          params: Of the network.
          key: Of this step.
        """
        params = jax.tree.map(lambda leaf: jnp.asarray(leaf, self.dtype), params)
        pictures = compose(self.transforms, self.movable(image, view.mask), key)
        reference = jnp.zeros((0, *pictures.shape[1:]), pictures.dtype)
        if view.objective.compared:
            assert view.reference is not None, "a comparing objective needs a reference picture"
            reference = compose(self.transforms, view.reference[None], key)

        def score(parts: tuple[jax.Array, jax.Array]) -> dict[str, jax.Array]:
            return view.objective.terms(self.see(*parts, view.objective, params))

        sides = None if self.tile is None else tiling(pictures.shape[1], pictures.shape[2], self.tile)
        if sides is None:
            terms = score((pictures, reference))
        else:
            tiles = cut(pictures, sides), cut(reference, sides)
            terms = jax.tree.map(jnp.mean, jax.lax.map(jax.checkpoint(score), tiles))
        return -jnp.sum(jnp.stack(list(terms.values()))), terms

    def movable(self, image: jax.Array, mask: jax.Array | None) -> jax.Array:
        """The pictures `[B, H, W, 3]`, the same where the mask is black but without a gradient there."""
        pictures = image.reshape(-1, *image.shape[-3:])
        if mask is None:
            return pictures
        share = mask[None, :, :, None]
        return share * pictures + (1 - share) * jax.lax.stop_gradient(pictures)

    def see(self, pictures: jax.Array, reference: jax.Array, objective: Objective, params: Any) -> Seen:
        """What the network sees in pictures `[B, H, W, 3]` and, where it is asked for, in the reference."""
        compared = self.look(reference, params, objective.compared) if objective.compared else {}
        return Seen(pictures, self.look(pictures, params, objective.layers), jax.lax.stop_gradient(compared))

    def look(self, pictures: jax.Array, params: Any, layers: tuple[str, ...]) -> dict[str, jax.Array]:
        """Activations of some layers of pictures `[B, H, W, 3]`."""
        if not layers:
            return {}
        return self.network.apply({"params": params}, pictures.astype(self.dtype), layers)[1]


def cut(pictures: jax.Array, tile: tuple[int, int]) -> jax.Array:
    """The tiles `[T, B, *tile, C]` of pictures `[B, H, W, C]`, from the top left; what is left over is dropped."""
    batch, height, width, channels = pictures.shape
    rows, columns = height // tile[0], width // tile[1]
    grid = pictures[:, : rows * tile[0], : columns * tile[1]]
    grid = grid.reshape(batch, rows, tile[0], columns, tile[1], channels)
    return grid.transpose(1, 3, 0, 2, 4, 5).reshape(rows * columns, batch, *tile, channels)


def tiling(height: int, width: int, largest: int) -> tuple[int, int] | None:
    """Height and width of equal tiles no side of which is above `largest`; None where one tile would do."""
    if max(height, width) <= largest:
        return None
    rows, columns = -(-height // largest), -(-width // largest)
    return height // rows, width // columns
