"""Objectives that ask for more of something: of a layer, a channel, a neuron, a direction, a class."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import jax
import jax.numpy as jnp

from jaxstyle.errors import JaxstyleError, did_you_mean
from jaxstyle.perceptual.objective import Activations, Objective, activation, maps, term

FLOOR = 1e-8
"""Added under roots, so that dead activations do not divide by zero."""


def layer_energy(layer: str, norm: str = "l2", channels: Sequence[int] = ()) -> Objective:
    """Mean square, or mean, of a layer's activations, or of some channels: the objective of DeepDream.

    Args:
      layer: Name of an activation.
      channels: Indices of channels; empty takes all.
      norm: `"l2"`: the mean of squares (twice google/deepdream's `objective_L2` over the number of values);
        `"mean"`: the mean.

    References:
      Mordvintsev, Olah & Tyka 2015, "Inceptionism".
    """
    if norm not in _ENERGIES:
        raise JaxstyleError(f"unknown norm {norm!r}; {did_you_mean(norm, _ENERGIES)}")
    return term(f"{norm}/{layer}", _ENERGIES[norm], layer, jnp.asarray(channels, jnp.int32))


def _chosen(activations: Activations, layer: str, channels: jax.Array) -> jax.Array:
    features = activation(activations, layer)
    return jnp.take(features, channels, axis=-1, mode="clip") if channels.size else features


def _mean_square(activations: Activations, layer: str, channels: jax.Array) -> jax.Array:
    return jnp.mean(jnp.square(_chosen(activations, layer, channels)))


def _mean(activations: Activations, layer: str, channels: jax.Array) -> jax.Array:
    return jnp.mean(_chosen(activations, layer, channels))


_ENERGIES = {"l2": _mean_square, "mean": _mean}


def channel(layer: str, index: Any) -> Objective:
    """The mean of one channel over positions (lucid, `channel`).

    Args:
      layer: Name of an activation.
      index: Of the channel, an integer or a traced one.
    """
    return term(f"channel/{layer}", _channel, layer, jnp.asarray(index, jnp.int32))


def _channel(activations: Activations, layer: str, index: jax.Array) -> jax.Array:
    return jnp.mean(jnp.take(maps(activations, layer), index, axis=-1, mode="clip"))


def neuron(layer: str, index: Any, row: Any = None, column: Any = None) -> Objective:
    """One channel at one position (lucid, `neuron`).

    Args:
      layer: Name of an activation.
      index: Of the channel.
      row: Position, in activations from the top; None takes the middle row.
      column: Position from the left; None takes the middle column.
    """
    place = tuple(jnp.int32(-1) if at is None else jnp.asarray(at, jnp.int32) for at in (row, column))
    return term(f"neuron/{layer}", _neuron, layer, (jnp.asarray(index, jnp.int32), *place))


def _neuron(activations: Activations, layer: str, place: tuple[jax.Array, ...]) -> jax.Array:
    index, row, column = place
    features = maps(activations, layer)
    _, height, width, _ = features.shape
    row, column = (jnp.where(at < 0, side // 2, at) for at, side in ((row, height), (column, width)))
    chosen = jnp.take(jnp.take(features, row, axis=1, mode="clip"), column, axis=1, mode="clip")
    return jnp.mean(jnp.take(chosen, index, axis=-1, mode="clip"))


def direction(layer: str, vector: Any) -> Objective:
    """The mean over positions of the dot product with a vector `[C]` of channels (lucid, `direction`)."""
    return term(f"direction/{layer}", _direction, layer, jnp.asarray(vector, jnp.float32))


def _direction(activations: Activations, layer: str, vector: jax.Array) -> jax.Array:
    return jnp.mean(maps(activations, layer) @ vector)


def cosine(layer: str, vector: Any) -> Objective:
    """The mean over positions of the cosine with a vector `[C]` of channels, in [-1, 1] (lucid, `direction_cossim`)."""
    return term(f"cosine/{layer}", _cosine, layer, jnp.asarray(vector, jnp.float32))


def _cosine(activations: Activations, layer: str, vector: jax.Array) -> jax.Array:
    features = maps(activations, layer)
    lengths = jnp.sqrt(jnp.sum(jnp.square(features), -1) + FLOOR) * jnp.sqrt(jnp.sum(jnp.square(vector)) + FLOOR)
    return jnp.mean((features @ vector) / lengths)


def logit(index: Any, layer: str = "logits") -> Objective:
    """The logit of one class, its mean over the group (lucid, `class_logit`).

    Args:
      index: Of the class.
      layer: Name of the activation `[B, K]`.
    """
    return term(f"logit/{layer}", _logit, layer, jnp.asarray(index, jnp.int32))


def _logit(activations: Activations, layer: str, index: jax.Array) -> jax.Array:
    logits = activation(activations, layer)
    if logits.ndim != 2:
        raise JaxstyleError(f"layer {layer!r} has positions; use `channel` for it")
    return jnp.mean(jnp.take(logits, index, axis=-1, mode="clip"))
