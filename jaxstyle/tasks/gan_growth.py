"""The schedule of growing networks: when each size of pictures is faded in, and the pictures of that time."""

from __future__ import annotations

import dataclasses
from typing import Any

import jax
import jax.numpy as jnp

from jaxstyle.models.progressive import doubled, faded
from jaxstyle.ops.functional import average_pool
from jaxstyle.training.state import TrainState


@dataclasses.dataclass(frozen=True)
class Growth:
    """Equal times for fading a size in and for training it, in turn; the smallest is there from the beginning.

    Attributes:
      levels: Number of doublings from the smallest pictures to the largest.
      steps: After which all sizes are faded in.
    """

    levels: int
    steps: int

    def start(self, level: int) -> int:
        """The first step of a size."""
        return round(self.steps * (2 * level - 1) / (2 * self.levels)) if level else 0

    def level(self, step: int) -> int:
        """The largest size of a step."""
        return max(level for level in range(self.levels + 1) if self.start(level) <= step)

    def fades(self, step: jax.Array) -> jax.Array:
        """Shares `[levels + 1]` in [0, 1] to which sizes are faded in; that of a size that begins at this step is 0."""
        starts = jnp.array([self.start(level) for level in range(1, self.levels + 1)], jnp.float32)
        shares = (step.astype(jnp.float32) - starts) * (2 * self.levels / self.steps)
        return jnp.concatenate([jnp.ones(1), jnp.clip(shares, 0, 1)])

    def real(self, images: jax.Array, level: int, step: jax.Array) -> jax.Array:
        """Real pictures `[N, H, W, C]` as the discriminator sees them at a step, of a size, faded in like its own."""
        images = average_pool(images, 2 ** (self.levels - level))
        return faded(doubled(average_pool(images)), images, self.fades(step)[level]) if level else images

    def fresh(self, state: TrainState, level: int) -> Any:
        """The optimisers' state, zeros at a size's first step: moments of layers without gradients would mislead it."""
        begins = state.step == self.start(level)
        return jax.tree.map(lambda leaf: jnp.where(begins, jnp.zeros_like(leaf), leaf), state.optimizer)
