"""Recurrent cells whose states are feature maps: ConvLSTM and ConvGRU.

A cell is a pure step, `(state, x) -> (state, output)`, made to be scanned over time. Each computes its gates by one
convolution of input and state together, which is as fast as two on CPU and better on accelerators.
"""

from __future__ import annotations

from typing import Any

import flax.linen as nn
import jax
import jax.numpy as jnp

from jaxstyle.ops.convolution import Conv, hold


class ConvLSTMCell(nn.Module):
    """The LSTM with convolutions for products.

    Its forget gates begin open (their bias is 1), as Jozefowicz et al. 2015 recommend.

    Attributes:
      features: Channels of its state.
      kernel: Side of its convolutions, odd.
      peepholes: Whether gates also see the cell, each position by a weight of its own; ties it to one size of maps.
      dtype: In which it computes; parameters are float32.

    References:
      Shi et al. 2015, "Convolutional LSTM Network", eq. 3.
    """

    features: int
    kernel: int = 3
    peepholes: bool = False
    dtype: Any = jnp.float32

    @nn.compact
    def __call__(self, state: tuple[jax.Array, jax.Array], x: jax.Array) -> tuple[Any, jax.Array]:
        """One step of time.

        Args:
          state: Cell and hidden maps, each `[N, H, W, features]`; see `first`.
          x: `[N, H, W, C]`.

        Returns:
          The next state, and its hidden maps.
        """
        cell, hidden = hold(state)  # else CPUs repeat all of time's elementwise products at every step backwards
        both = jnp.concatenate([x.astype(self.dtype), hidden], -1)
        side = (self.kernel, self.kernel)
        gates = Conv(4 * self.features, side, dtype=self.dtype, bias_init=forgetful, name="gates")(both)
        enter, forget, change, leave = jnp.split(gates, 4, -1)
        enter, forget = (self.peep(*gate, cell) for gate in ((enter, "enter"), (forget, "forget")))
        cell = nn.sigmoid(forget) * cell + nn.sigmoid(enter) * jnp.tanh(change)
        hidden = nn.sigmoid(self.peep(leave, "leave", cell)) * jnp.tanh(cell)
        return (cell, hidden), hidden

    def peep(self, gate: jax.Array, name: str, cell: jax.Array) -> jax.Array:
        """A gate before its sigmoid, which sees the cell where it has a peephole."""
        if not self.peepholes:
            return gate
        weight = self.param(f"{name}_peephole", nn.initializers.zeros, cell.shape[1:])
        return gate + weight.astype(self.dtype)[None] * cell

    def first(self, shape: tuple[int, ...]) -> tuple[jax.Array, jax.Array]:
        """The state before the first step, for maps of `(N, H, W)`: zeros."""
        return jnp.zeros((*shape, self.features), self.dtype), jnp.zeros((*shape, self.features), self.dtype)


class ConvGRUCell(nn.Module):
    """The gated recurrent unit with convolutions for products.

    Attributes:
      features: Channels of its state.
      kernel: Side of its convolutions, odd.
      dtype: In which it computes; parameters are float32.

    References:
      Ballas et al. 2016, "Delving Deeper into Convolutional Networks for Learning Video Representations", eq. 6 to 9.
    """

    features: int
    kernel: int = 3
    dtype: Any = jnp.float32

    @nn.compact
    def __call__(self, state: jax.Array, x: jax.Array) -> tuple[jax.Array, jax.Array]:
        """One step of time: the next state, which is also the output; `state` `[N, H, W, features]`, see `first`."""
        state, side = hold(state), (self.kernel, self.kernel)
        x = x.astype(self.dtype)
        both = jnp.concatenate([x, state], -1)
        gates = nn.sigmoid(Conv(2 * self.features, side, dtype=self.dtype, name="gates")(both))
        update, reset = jnp.split(gates, 2, -1)
        both = jnp.concatenate([x, reset * state], -1)
        change = jnp.tanh(Conv(self.features, side, dtype=self.dtype, name="change")(both))
        state = (1 - update) * state + update * change
        return state, state

    def first(self, shape: tuple[int, ...]) -> jax.Array:
        """The state before the first step, for maps of `(N, H, W)`: zeros."""
        return jnp.zeros((*shape, self.features), self.dtype)


def forgetful(key: jax.Array, shape: tuple[int, ...], dtype: Any = jnp.float32) -> jax.Array:
    """The first bias of an LSTM's gates `[4 F]`: 1 for the forget gates, the second quarter, else 0."""
    quarter = shape[0] // 4
    return jnp.zeros(shape, dtype).at[quarter : 2 * quarter].set(1)
