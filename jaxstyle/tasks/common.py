"""Parts that several tasks share: pixels as floats, the update that ends a training step, pictures in pairs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import jax
import jax.numpy as jnp

from jaxstyle.training import step
from jaxstyle.training.optimizers import Optimizer
from jaxstyle.training.state import TrainState
from jaxstyle.training.task import Metrics

SHOWN = 8
"""Rows and columns of a sheet of pictures."""

Terms = Callable[[Any], tuple[Metrics, Any]]
"""Parameters -> (terms, batch statistics): terms are scalars or `[N]`, one of them `loss`; statistics are collections
as flax returns mutable ones, `{}` where there are none."""


def scaled(images: jax.Array) -> jax.Array:
    """Pixels 0..255 uint8 as float32 in [0, 1]."""
    return images.astype(jnp.float32) / 255


def descend(optimizer: Optimizer, state: TrainState, terms: Terms) -> tuple[TrainState, Metrics]:
    """One optimizer step down the mean of `loss`, inside the devices' axis.

    Args:
      optimizer: Of all of the state's parameters.
      state: Before the step; its running averages follow the batch statistics.
      terms: See `Terms`; evaluated on this device's share of the batch.

    Returns:
      The state after the step, and metrics averaged over the global batch: every term, the norm of the `gradient` and
      the `learning_rate`.
    """

    def loss(params: Any) -> tuple[jax.Array, tuple[Metrics, Any]]:
        values, statistics = terms(params)
        means = {name: jnp.mean(value) for name, value in values.items()}
        return means.pop("loss"), (means, statistics)

    grads, (value, (means, statistics)) = step.gradients(loss, state.params)
    rate = jnp.asarray(optimizer.schedule(state.step), jnp.float32)
    metrics = {"loss": value, **means, "gradient": step.norm(grads), "learning_rate": rate}
    collections = optimizer.averaged_statistics(state.collections, statistics, state.step)
    return optimizer.apply_gradients(state, grads, collections), metrics


def beside(pictures: jax.Array, others: jax.Array) -> jax.Array:
    """Pairs of pictures in turn, so many that a square sheet of them has an even number of columns.

    Args:
      pictures: `[N, H, W, C]`, the first of each pair.
      others: Same shape, the second.

    Returns:
      `[2 P, H, W, C]`, P the largest of 1, 2, 8, 18 and 32 that is at most N.
    """
    pairs = max(count for count in (1, 2, 8, 18, SHOWN**2 // 2) if count <= len(pictures))
    return jnp.stack([pictures[:pairs], others[:pairs]], 1).reshape(-1, *pictures.shape[1:])
