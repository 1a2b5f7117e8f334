"""Optimisers for pictures: Adam as stylisation uses it, torch's L-BFGS, and carrying their state across scales.

They are made once and shared: the loop's compiled programs belong to the very object.
"""

from __future__ import annotations

import functools
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import optax

from jaxstyle.ops.resampling import resize_image


@functools.lru_cache
def adam() -> optax.GradientTransformation:
    """Adam with betas (0.9, 0.99) and unit step: gradients of a picture change slowly, so the second moment may
    forget fast (crowsonkb/style-transfer-pytorch)."""
    return optax.chain(optax.scale_by_adam(b1=0.9, b2=0.99), optax.scale(-1.0))


class LbfgsState(NamedTuple):
    """History of an L-BFGS run; `steps` and `changes` are rings `[history, *shape]`, newest at `pairs - 1`."""

    pairs: jax.Array  # number of pairs ever stored
    started: jax.Array  # whether params and grads hold a previous iterate
    params: jax.Array
    grads: jax.Array
    steps: jax.Array
    changes: jax.Array
    curvatures: jax.Array  # [history], step · change of every pair


@functools.lru_cache
def lbfgs(history: int = 10) -> optax.GradientTransformation:
    """L-BFGS with a fixed step, as `torch.optim.LBFGS` with `max_iter=1` and no line search does it.

    One evaluation a step. The first step is `-g · min(1, 1 / |g|₁)`; a pair (step, change of gradient) whose
    inner product is at most 1e-10 is not stored; the initial Hessian is scaled by the newest pair. optax's
    `scale_by_lbfgs` lacks that guard: without a line search one pair of negative curvature turns it uphill.

    Args:
      history: Number of pairs kept; memory is twice that many pictures. torch's default is 100, crowsonkb's 10.

    References:
      Nocedal & Wright 2006, algorithm 7.4; `torch/optim/lbfgs.py`.
    """

    def init(params: jax.Array) -> LbfgsState:
        rings = jnp.zeros((history, *params.shape), params.dtype)
        zero = jnp.zeros_like(params)
        return LbfgsState(jnp.int32(0), jnp.array(False), zero, zero, rings, rings, jnp.ones(history, params.dtype))

    def update(grads: jax.Array, state: LbfgsState, params: jax.Array | None = None) -> tuple[jax.Array, LbfgsState]:
        if params is None:
            raise ValueError("lbfgs needs the parameters: call update(grads, state, params)")
        state = remember(state, params, grads)
        capped = jnp.minimum(1.0, 1.0 / jnp.sum(jnp.abs(grads)))
        first = -grads * jnp.where(jnp.isfinite(capped), capped, 1.0)
        direction = jnp.where(state.started, -inverse_hessian_product(state, grads), first)
        return direction, state._replace(started=jnp.array(True), params=params, grads=grads)

    return optax.GradientTransformation(init, update)


def remember(state: LbfgsState, params: jax.Array, grads: jax.Array) -> LbfgsState:
    """The history with the pair since the previous iterate stored, if its curvature is positive enough."""
    step, change = params - state.params, grads - state.grads
    curvature = jnp.vdot(step, change)
    keep = state.started & (curvature > 1e-10)
    slot = state.pairs % state.curvatures.shape[0]

    def store(ring: jax.Array, value: jax.Array) -> jax.Array:
        return ring.at[slot].set(jnp.where(keep, value, ring[slot]))

    return state._replace(
        pairs=state.pairs + keep,
        steps=store(state.steps, step),
        changes=store(state.changes, change),
        curvatures=store(state.curvatures, curvature),
    )


def inverse_hessian_product(state: LbfgsState, grads: jax.Array) -> jax.Array:
    """The two-loop recursion (Nocedal & Wright 2006, algorithm 7.4) over the pairs stored."""
    history = state.curvatures.shape[0]
    stored = jnp.minimum(state.pairs, history)

    def backwards(i: jax.Array, carry: tuple[jax.Array, jax.Array]) -> tuple[jax.Array, jax.Array]:
        direction, alphas = carry
        slot = (state.pairs - 1 - i) % history
        alpha = jnp.vdot(state.steps[slot], direction) / state.curvatures[slot]
        return direction - alpha * state.changes[slot], alphas.at[slot].set(alpha)

    def forwards(i: jax.Array, direction: jax.Array) -> jax.Array:
        slot = (state.pairs - stored + i) % history
        beta = jnp.vdot(state.changes[slot], direction) / state.curvatures[slot]
        return direction + (carry_alphas[slot] - beta) * state.steps[slot]

    zeros = jnp.zeros(history, grads.dtype)
    direction, carry_alphas = jax.lax.fori_loop(0, stored, backwards, (grads, zeros))
    newest = (state.pairs - 1) % history
    change = state.changes[newest]
    scale = jnp.where(stored > 0, state.curvatures[newest] / jnp.maximum(jnp.vdot(change, change), 1e-30), 1.0)
    return jax.lax.fori_loop(0, stored, forwards, direction * scale)


def carry_state(state: Any, fresh: Any, *, periodic: bool = False) -> Any:
    """Optimiser state of a smaller scale, resampled to the shapes of a state just initialised at the next one.

    Leaves shaped like a picture `[H, W, C]` (Adam's moments) are resampled linearly, which keeps second moments
    non-negative; scalars are kept. A state with any other leaf that changes shape (L-BFGS's history, whose pairs
    mean nothing at another resolution) is not carried: the fresh one is returned.

    Args:
      state: Pytree of one picture's optimiser state.
      fresh: The same pytree for the next scale.
      periodic: Whether the picture repeats.
    """
    old_leaves, new_leaves = jax.tree.leaves(state), jax.tree.leaves(fresh)
    carried = []
    for old, new in zip(old_leaves, new_leaves, strict=True):
        if old.shape == new.shape:
            carried.append(old)
        elif old.ndim == 3 and old.shape[-1] == new.shape[-1]:
            carried.append(resize_image(old, new.shape[0], new.shape[1], "linear", periodic=periodic))
        else:
            return fresh
    return jax.tree.unflatten(jax.tree.structure(fresh), carried)
