"""Convolutional recurrent cells, whose states are feature maps: ConvLSTM and ConvGRU.

A cell is a pure step `(state, x) -> (state, output)`, to be scanned over time. It computes its gates by one convolution
of input and state, concatenated, which is as fast as two on CPU and faster on accelerators.
"""

from __future__ import annotations

from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp

from jaxstyle.ops.convolution import Conv, cpu_barrier


class ConvLSTMCell(nn.Module):
    """An LSTM with convolutions in place of matrix products.

    The bias of its forget gates is initialised to 1, as Jozefowicz et al. 2015 recommend.

    Attributes:
      features: Channels of its state.
      kernel: Side of its convolutions, odd.
      peepholes: Whether gates depend on the cell state too, by a weight a position; the size of the maps is then fixed.
      dtype: Dtype of the computation; parameters are float32.

    References:
      Shi et al. 2015, "Convolutional LSTM Network", eq. 3.
    """

    features: int
    kernel: int = 3
    peepholes: bool = False
    dtype: Any = jnp.float32

    @nn.compact
    def __call__(self, state: tuple[jax.Array, jax.Array], x: jax.Array) -> tuple[Any, jax.Array]:
        """One time step.

        Args:
          state: Cell and hidden maps, each `[N, H, W, features]`; see `initial_state`.
          x: `[N, H, W, C]`.

        Returns:
          The next state, and its hidden maps.
        """
        cell, hidden = cpu_barrier(state)  # else every step of a CPU's backward pass recomputes all steps before it
        both = jnp.concatenate([x.astype(self.dtype), hidden], -1)
        side = (self.kernel, self.kernel)
        gates = Conv(4 * self.features, side, dtype=self.dtype, bias_init=forget_bias, name="gates")(both)
        input_gate, forget_gate, candidate, output_gate = jnp.split(gates, 4, -1)
        input_gate = nn.sigmoid(self.peephole(input_gate, "enter", cell))
        forget_gate = nn.sigmoid(self.peephole(forget_gate, "forget", cell))
        cell = forget_gate * cell + input_gate * jnp.tanh(candidate)
        hidden = nn.sigmoid(self.peephole(output_gate, "leave", cell)) * jnp.tanh(cell)
        return (cell, hidden), hidden

    def peephole(self, gate: jax.Array, name: str, cell: jax.Array) -> jax.Array:
        """Adds the weighted cell state to a gate's preactivation where there are peepholes."""
        if not self.peepholes:
            return gate
        weight = self.param(f"{name}_peephole", nn.initializers.zeros, cell.shape[1:])
        return gate + weight.astype(self.dtype)[None] * cell

    def initial_state(self, shape: tuple[int, ...]) -> tuple[jax.Array, jax.Array]:
        """The state before the first step, zeros, for maps of shape `(N, H, W)`."""
        return jnp.zeros((*shape, self.features), self.dtype), jnp.zeros((*shape, self.features), self.dtype)


class ConvGRUCell(nn.Module):
    """A gated recurrent unit with convolutions in place of matrix products.

    Attributes:
      features: Channels of its state.
      kernel: Side of its convolutions, odd.
      dtype: Dtype of the computation; parameters are float32.

    References:
      Ballas et al. 2016, "Delving Deeper into Convolutional Networks for Learning Video Representations", eq. 6 to 9.
    """

    features: int
    kernel: int = 3
    dtype: Any = jnp.float32

    @nn.compact
    def __call__(self, state: jax.Array, x: jax.Array) -> tuple[jax.Array, jax.Array]:
        """One time step.

        Args:
          state: `[N, H, W, features]`; see `initial_state`.
          x: `[N, H, W, C]`.

        Returns:
          The next state twice: it is also the output.
        """
        state, side = cpu_barrier(state), (self.kernel, self.kernel)
        x = x.astype(self.dtype)
        both = jnp.concatenate([x, state], -1)
        gates = nn.sigmoid(Conv(2 * self.features, side, dtype=self.dtype, name="gates")(both))
        update, reset = jnp.split(gates, 2, -1)
        both = jnp.concatenate([x, reset * state], -1)
        candidate = jnp.tanh(Conv(self.features, side, dtype=self.dtype, name="change")(both))
        state = (1 - update) * state + update * candidate
        return state, state

    def initial_state(self, shape: tuple[int, ...]) -> jax.Array:
        """The state before the first step, zeros, for maps of shape `(N, H, W)`."""
        return jnp.zeros((*shape, self.features), self.dtype)


def forget_bias(key: jax.Array, shape: tuple[int, ...], dtype: Any = jnp.float32) -> jax.Array:
    """Initialises the bias `[4 F]` of an LSTM's gates: 1 for the forget gates, the second quarter, else 0."""
    quarter = shape[0] // 4
    return jnp.zeros(shape, dtype).at[quarter : 2 * quarter].set(1)
