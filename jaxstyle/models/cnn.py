"""A small convolutional classifier, which also scores generated pictures."""

from __future__ import annotations

from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp

from jaxstyle.ops.convolution import Conv
from jaxstyle.ops.functional import max_pool

STAGES = ((32, True), (64, True), (64, False))  # channels; whether a pool follows


class SmallCNN(nn.Module):
    """Conv 32 – Conv 64 – Conv 64 – Dense 64 – Dense `classes`, halved by max pooling after the first two.

    Attributes:
      classes: Number of classes.
      dropout: Rate at which the 64 features are dropped in training.
      dtype: Dtype of the computation; parameters and logits are float32.
      remat: Whether the backward pass recomputes every stage instead of keeping its activations.
    """

    classes: int = 10
    dropout: float = 0.0
    dtype: Any = jnp.float32
    remat: bool = False
    features = 64

    @nn.compact
    def __call__(
        self, images: jax.Array, train: bool = False, noise: jax.Array | None = None
    ) -> tuple[jax.Array, jax.Array]:
        """Classifies pictures.

        Args:
          images: `[N, H, W, C]` in [0, 1].
          train: Not used; it is there for classifiers with batch normalisation.
          noise: `[N, 64]` uniform in [0, 1), for dropout; None in evaluation.

        Returns:
          Logits `[N, classes]` and the features before them `[N, 64]`, both float32.
        """
        x = images.astype(self.dtype) * 2 - 1
        stage = nn.remat(SmallCNN.stage, static_argnums=(2,)) if self.remat else SmallCNN.stage
        for number in range(len(STAGES)):
            x = stage(self, x, number)
        x = nn.relu(nn.Dense(self.features, dtype=self.dtype)(x.reshape(x.shape[0], -1))).astype(jnp.float32)
        kept = x if noise is None else jnp.where(noise >= self.dropout, x / (1 - self.dropout), 0.0)
        logits = nn.Dense(self.classes, dtype=self.dtype)(kept.astype(self.dtype))
        return logits.astype(jnp.float32), x

    def stage(self, x: jax.Array, number: int) -> jax.Array:
        """A convolution, its ReLU, and the pool where there is one."""
        width, pools = STAGES[number]
        x = nn.relu(Conv(width, (3, 3), dtype=self.dtype, name=f"Conv_{number}")(x))
        return max_pool(x) if pools else x
