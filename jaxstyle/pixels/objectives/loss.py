"""The loss that an objective is to the pixel loop: pictures transformed, their activations extracted and scored."""

from __future__ import annotations

import dataclasses
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp

from jaxstyle.perceptual.loss import activations_of
from jaxstyle.perceptual.objective import Activations, Objective
from jaxstyle.pixels.transforms import Transform, compose


class StageObjective(NamedTuple):
    """The objective of one picture (or group) at one scale.

    Attributes:
      objective: To be made large, or small (`ObjectiveLoss.descends`).
      reference: `[H, W, 3]` in [0, 1], the picture that comparing scores compare with; None where none does.
      mask: `[H, W]` in [0, 1], how readily each pixel moves; None lets all move.
    """

    objective: Objective
    reference: Any = None
    mask: Any = None

    def having(self, matches: tuple[Any, ...]) -> StageObjective:
        """The same, its matching parts going by `matches`."""
        return self._replace(objective=self.objective.having(matches))

    def released(self) -> StageObjective:
        """The same, its terms that hold the picture in place counting a quarter, so that it meets the statistics."""
        return self._replace(objective=self.objective.weighted(("content", "structure", "matching"), 1 / 4))


@dataclasses.dataclass(frozen=True)
class ObjectiveLoss:
    """`(pictures, stage objective, network parameters, key) -> (loss, terms)`; equal ones share compiled programs.

    The loss is minus the objective, or the objective itself where that is one to be made small.

    Attributes:
      network: The Flax module of the feature extractor.
      transforms: Applied to the pictures before the network, to the reference as well, in this order.
      dtype: In which the network computes.
      tile: Longest side of the tiles into which a larger picture is cut, in pixels; None takes it whole. A step then
        needs the memory of one tile, and every activation is computed twice. A score is the mean of the tiles' scores.
        The few rows and columns that equal tiles do not cover are passed over in that step.
      descends: Whether the objective is to be made small, as distances are, instead of large.
    """

    network: Any
    transforms: tuple[Transform, ...] = ()
    dtype: str = "float32"
    tile: int | None = None
    descends: bool = False

    def __call__(
        self, image: jax.Array, stage: StageObjective, params: Any, key: jax.Array
    ) -> tuple[jax.Array, dict[str, Any]]:
        """The loss and its terms, float32 scalars.

        Args:
          image: `[H, W, 3]`, or a group `[B, H, W, 3]`, in [0, 1].
          stage: The objective and what belongs to it.
          params: Of the network.
          key: Of this step.
        """
        pictures = movable(image, stage.mask)
        if self.transforms or self.tile is not None:
            pictures = compose(self.transforms, as_group(pictures), key)
        reference = jnp.zeros((0, *pictures.shape[-3:]), pictures.dtype)
        if stage.objective.compared:
            assert stage.reference is not None, "a comparing objective needs a reference picture"
            reference = compose(self.transforms, stage.reference[None], key)

        def score(parts: tuple[jax.Array, jax.Array]) -> dict[str, jax.Array]:
            return stage.objective.terms(self.activations(*parts, stage.objective, params))

        sides = None if self.tile is None else tiling(pictures.shape[-3], pictures.shape[-2], self.tile)
        if sides is None:
            terms = score((pictures, reference))
        else:
            tiles = cut(pictures, sides), cut(reference, sides)
            terms = jax.tree.map(jnp.mean, jax.lax.map(jax.checkpoint(score), tiles))
        total = jnp.sum(jnp.stack(list(terms.values())))
        return total if self.descends else -total, terms

    def match(self, image: jax.Array, stage: StageObjective, params: Any) -> tuple[Any, ...]:
        """Returns the matches of the objective's matching parts in a picture `[H, W, 3]`."""
        reference = jnp.zeros((0, *image.shape), image.dtype)
        return stage.objective.matches(self.activations(image, reference, stage.objective, params))

    def activations(self, pictures: jax.Array, reference: jax.Array, objective: Objective, params: Any) -> Activations:
        """The argument of an objective, for pictures `[..., H, W, 3]` and, where it compares, the reference."""
        compared = activations_of(self.network, self.dtype, params, reference, objective.compared)
        found = activations_of(self.network, self.dtype, params, as_group(pictures), objective.layers)
        return Activations(pictures, found, jax.lax.stop_gradient(compared))


def movable(image: jax.Array, mask: jax.Array | None) -> jax.Array:
    """The pictures `[..., H, W, 3]`, the same where the mask is black but without a gradient there."""
    if mask is None:
        return image
    share = mask.reshape((1,) * (image.ndim - 3) + (*mask.shape, 1))
    return share * image + (1 - share) * jax.lax.stop_gradient(image)


def as_group(pictures: jax.Array) -> jax.Array:
    """One picture `[H, W, 3]` as a group of one; a group `[B, H, W, 3]` as it is."""
    return pictures[None] if pictures.ndim == 3 else pictures


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
