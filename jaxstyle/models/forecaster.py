"""The encoder–forecaster: a stack of convolutional recurrent cells reads frames, another one goes on with them.

Measured on two cores: XLA's CPU convolutions inside of a loop (`lax.scan`) take 25 times as long as outside of one,
so there the steps of time are unrolled. Loops compile faster and are as fast on accelerators.
"""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import flax.linen as nn
import jax
import jax.numpy as jnp

from jaxstyle.models.conv_recurrent import ConvGRUCell, ConvLSTMCell
from jaxstyle.ops.convolution import Conv
from jaxstyle.ops.resampling import depth_to_space, space_to_depth

CELLS = ("lstm", "gru")


class Forecast(NamedTuple):
    """What a forecaster makes of clips.

    Attributes:
      past: Logits of the second to last input frame, each as foreseen one step before, `[N, T - 1, H, W, C]` float32.
      future: Logits of the frames after them `[N, K, H, W, C]` float32.
      classes: Logits `[N, classes]` float32 by what the encoder remembers of all input frames; None without classes.
    """

    past: jax.Array
    future: jax.Array
    classes: Any


class Stack(nn.Module):
    """One step of time: patches through a stack of cells, to the logits of the next frame's patches.

    Cells of a larger scale see further, those of scale 1 see finer. One that returns to a finer scale also sees what
    the last cell of that scale gave, as in a U-Net.

    Attributes:
      channels: Of patches.
      widths: Channels of each cell's state.
      scales: Of each cell, how many patches a position of its maps is high and wide; as many as `widths`, the last 1.
      kernel: Side of the cells' convolutions.
      cell: Name in `CELLS`.
      peepholes: See `ConvLSTMCell`.
      brightness: Of what is foreseen before any training, above 0 and below 1; the mean of the frames is best. Where
        films of digits, 5 % of which is white, were first foreseen grey, the steps that turned it black left cells
        from which three layers learned nothing in 600 more; begun at 0.05 they were past that after 100.
      dtype: In which it computes; parameters are float32, and so are the logits.
    """

    channels: int
    widths: tuple[int, ...] = (64, 64)
    scales: tuple[int, ...] = (1, 1)
    kernel: int = 3
    cell: str = "lstm"
    peepholes: bool = False
    brightness: float = 0.5
    dtype: Any = jnp.float32

    def setup(self) -> None:
        self.cells = [self.make(width) for width in self.widths]
        bias = nn.initializers.constant(math.log(self.brightness / (1 - self.brightness)))
        self.readout = Conv(self.channels, (1, 1), dtype=self.dtype, bias_init=bias)

    def make(self, width: int) -> Any:
        """A cell."""
        if self.cell == "gru":
            return ConvGRUCell(width, self.kernel, self.dtype)
        return ConvLSTMCell(width, self.kernel, self.peepholes, self.dtype)

    def __call__(self, states: list[Any], patches: jax.Array) -> tuple[list[Any], jax.Array]:
        """The next states, and logits `[N, H, W, channels]`."""
        moved, x, before = [], patches, 1
        given: dict[int, jax.Array] = {}  # by scale, what its last cell gave
        for cell, scale, state in zip(self.cells, self.scales, states, strict=True):
            if scale > before:
                x = space_to_depth(x, scale // before)
            elif scale < before:
                fine = depth_to_space(x, before // scale)
                x = jnp.concatenate([fine, given[scale]], -1) if scale in given else fine
            state, x = cell(state, x)
            moved.append(state)
            given[scale], before = x, scale
        return moved, self.readout(x).astype(jnp.float32)

    def first(self, shape: tuple[int, ...]) -> list[Any]:
        """The states before the first step, for patches of `(N, H, W)`."""
        count, height, width = shape
        return [
            cell.first((count, height // scale, width // scale))
            for cell, scale in zip(self.cells, self.scales, strict=True)
        ]


class Look(nn.Module):
    """What is anywhere on some maps: two convolutions, then each channel's largest and mean.

    Attributes:
      features: Channels of either convolution.
      dtype: In which it computes; parameters are float32.
    """

    features: int = 64
    dtype: Any = jnp.float32

    @nn.compact
    def __call__(self, maps: jax.Array) -> jax.Array:
        """`[N, H, W, C]` -> `[N, 2 features]`."""
        for _ in range(2):
            maps = nn.relu(Conv(self.features, (3, 3), dtype=self.dtype)(maps))
        return jnp.concatenate([jnp.max(maps, (1, 2)), jnp.mean(maps, (1, 2))], -1)


class Forecaster(nn.Module):
    """Reads frames and foresees those that follow, each from the one before: its own, or the true one where told so.

    Attributes:
      channels: Of a frame.
      widths: Channels of each cell's state, in either stack.
      scales: Of each cell; see `Stack`. None is 1 for all.
      kernel: Side of the cells' convolutions.
      patch: Side of the square patches that frames are cut into, and that cells see as one position.
      cell: Name in `CELLS`.
      peepholes: See `ConvLSTMCell`.
      brightness: See `Stack`.
      tied: Whether one stack does both: the ConvLSTM baseline of OpenSTL. Else the second begins with the first's
        states and parameters of its own (Shi et al. 2015, section 3.2).
      classes: Of clips; 0 for none.
      unroll: Whether steps of time are unrolled; see above.
      dtype: In which it computes; parameters are float32.
    """

    channels: int
    widths: tuple[int, ...] = (64, 64)
    scales: tuple[int, ...] | None = None
    kernel: int = 3
    patch: int = 4
    cell: str = "lstm"
    peepholes: bool = False
    brightness: float = 0.5
    tied: bool = False
    classes: int = 0
    unroll: bool = False
    dtype: Any = jnp.float32

    def setup(self) -> None:
        self.encoder = self.stack()
        self.forecaster = self.encoder if self.tied else self.stack()
        self.looks = [Look(dtype=self.dtype) for _ in range(len(self.widths) * (2 if self.cell == "lstm" else 1))]
        self.head = nn.Dense(self.classes, dtype=self.dtype)

    def stack(self) -> Stack:
        """The cells of one half."""
        parts = self.patch**2 * self.channels
        scales = self.scales or (1,) * len(self.widths)
        own = (self.kernel, self.cell, self.peepholes, self.brightness, self.dtype)
        return Stack(parts, self.widths, scales, *own)

    def __call__(
        self, inputs: jax.Array, count: int, truth: jax.Array | None = None, follow: jax.Array | None = None
    ) -> Forecast:
        """Foresees.

        Args:
          inputs: `[N, T, H, W, C]` in [0, 1], at least two frames; H and W multiples of `patch`.
          count: K, how many frames to foresee; static.
          truth: The frames that follow `[N, K, H, W, C]`, where some are to be followed.
          follow: `[N, K - 1]` bool: whether the step after each of them sees the true one, not the foreseen one
            (scheduled sampling). None follows none.
        """
        seen = self.cut(inputs)
        states, frame = self.encoder.first(seen.shape[1:4]), jnp.zeros_like(seen[0])
        every = jnp.ones(seen.shape[:2], bool)
        (states, _), past = self.run(self.encoder, (states, frame), seen[:-1], every[:-1])
        remembered = states
        if self.classes:  # the last frame, too, which else only the forecaster sees
            (remembered, _), _ = self.run(self.encoder, (states, frame), seen[-1:], every[-1:])
        known = jnp.concatenate([seen[-1:], jnp.zeros((count - 1, *seen.shape[1:]), seen.dtype)])
        told = jnp.concatenate([every[-1:], jnp.zeros((count - 1, seen.shape[1]), bool)])
        if truth is not None and follow is not None:
            known = known.at[1:].set(self.cut(truth[:, :-1]))
            told = told.at[1:].set(follow.T)
        _, future = self.run(self.forecaster, (states, frame), known, told)
        return Forecast(self.joined(past), self.joined(future), self.classify(remembered))

    def run(self, stack: Stack, start: Any, frames: jax.Array, follow: jax.Array) -> tuple[Any, jax.Array]:
        """Steps through time.

        Args:
          stack: Of cells.
          start: Their states, and the frame foreseen for the first step.
          frames: True patches of each step `[T, N, h, w, P]`.
          follow: `[T, N]`, whether a step sees them, not what was foreseen for it.

        Returns:
          What `start` has become, and the logits after every step `[T, N, h, w, P]`.
        """

        def step(stack: Stack, carry: Any, given: tuple[jax.Array, jax.Array]) -> Any:
            (states, foreseen), (frame, told) = carry, given
            states, logits = stack(states, jnp.where(told[:, None, None, None], frame, foreseen))
            return (states, nn.sigmoid(logits)), logits

        steps = len(frames) if self.unroll else 1
        scanned = nn.scan(step, variable_broadcast="params", split_rngs={"params": False}, unroll=steps)
        return scanned(stack, start, (frames, follow))

    def classify(self, states: list[Any]) -> jax.Array | None:
        """Logits by what is anywhere on the maps of all states."""
        if not self.classes:
            return None
        seen = [look(leaf) for look, leaf in zip(self.looks, jax.tree.leaves(states), strict=True)]
        return self.head(jnp.concatenate(seen, -1)).astype(jnp.float32)

    def cut(self, frames: jax.Array) -> jax.Array:
        """`[N, T, H, W, C]` as patches `[T, N, h, w, P]` float32."""
        flat = frames.astype(jnp.float32).reshape(-1, *frames.shape[2:])
        return space_to_depth(flat, self.patch).reshape(*frames.shape[:2], *self.maps(frames), -1).swapaxes(0, 1)

    def maps(self, frames: jax.Array) -> tuple[int, int]:
        """Height and width in patches."""
        return frames.shape[2] // self.patch, frames.shape[3] // self.patch

    def joined(self, patches: jax.Array) -> jax.Array:
        """`[T, N, h, w, P]` as frames `[N, T, H, W, C]`."""
        flat = depth_to_space(patches.reshape(-1, *patches.shape[2:]), self.patch)
        return flat.reshape(*patches.shape[:2], *flat.shape[1:]).swapaxes(0, 1)
