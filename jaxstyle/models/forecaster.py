"""The encoder–forecaster: one stack of convolutional recurrent cells encodes frames, another predicts the next ones.

Measured on two cores: XLA's CPU convolutions inside of a loop (`lax.scan`) take 25 times as long as outside of one, so
`unroll` is for CPUs. Loops compile faster and are as fast on accelerators.
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
    """The outputs of a forecaster.

    Attributes:
      past: Logits of the second to the last input frame, each predicted from those before it, `[N, T - 1, H, W, C]`
        float32.
      future: Logits of the frames after the input `[N, K, H, W, C]` float32.
      classes: Logits `[N, classes]` float32 from the encoder's states after all input frames; None without classes.
    """

    past: jax.Array
    future: jax.Array
    classes: Any


class Stack(nn.Module):
    """A stack of recurrent cells: one time step from a frame's patches to the logits of the next frame's.

    Cells of a larger scale have larger receptive fields and coarser maps. A cell that returns to a finer scale also
    gets the output of the last cell of that scale, as in a U-Net.

    Attributes:
      channels: Channels of the patches.
      widths: Channels of each cell's state.
      scales: Side of a position of each cell's maps, in patches; as many as `widths`, the last one 1.
      kernel: Side of the cells' convolutions.
      cell: Name in `CELLS`.
      peepholes: See `ConvLSTMCell`.
      brightness: Mean of the prediction before training, above 0 and below 1; the mean of the frames is best. Measured
        on moving digits, 5 % of whose pixels are white: from a mean of 0.5 the first steps, which learn that frames
        are dark, left three layers without progress for 600 more steps; from 0.05 this took 100.
      dtype: Dtype of the computation; parameters and logits are float32.
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
        self.cells = [self.make_cell(width) for width in self.widths]
        bias = nn.initializers.constant(math.log(self.brightness / (1 - self.brightness)))
        self.readout = Conv(self.channels, (1, 1), dtype=self.dtype, bias_init=bias)

    def make_cell(self, width: int) -> Any:
        """Makes a cell of the kind that `cell` names."""
        if self.cell == "gru":
            return ConvGRUCell(width, self.kernel, self.dtype)
        return ConvLSTMCell(width, self.kernel, self.peepholes, self.dtype)

    def __call__(self, states: list[Any], patches: jax.Array) -> tuple[list[Any], jax.Array]:
        """One time step.

        Args:
          states: The cells' states; see `initial_states`.
          patches: `[N, h, w, channels]` in [0, 1].

        Returns:
          The next states, and logits of the next frame's patches `[N, h, w, channels]`.
        """
        next_states, x, x_scale = [], patches, 1
        skips: dict[int, jax.Array] = {}  # scale -> output of its last cell
        for cell, scale, state in zip(self.cells, self.scales, states, strict=True):
            if scale > x_scale:
                x = space_to_depth(x, scale // x_scale)
            elif scale < x_scale:
                fine = depth_to_space(x, x_scale // scale)
                x = jnp.concatenate([fine, skips[scale]], -1) if scale in skips else fine
            state, x = cell(state, x)
            next_states.append(state)
            skips[scale], x_scale = x, scale
        return next_states, self.readout(x).astype(jnp.float32)

    def initial_states(self, shape: tuple[int, ...]) -> list[Any]:
        """The states before the first step, for patches of shape `(N, h, w)`."""
        count, height, width = shape
        return [
            cell.initial_state((count, height // scale, width // scale))
            for cell, scale in zip(self.cells, self.scales, strict=True)
        ]


class PooledFeatures(nn.Module):
    """Two convolutions, then global maximum and average pooling.

    Attributes:
      features: Channels of either convolution.
      dtype: Dtype of the computation; parameters are float32.
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
    """Predicts the frames that follow a clip, each from its own last prediction, or from the true frame before.

    The latter is teacher forcing, or scheduled sampling where it is random.

    Attributes:
      channels: Channels of a frame.
      widths: Channels of each cell's state, in either stack.
      scales: Scale of each cell; see `Stack`. None is 1 for all.
      kernel: Side of the cells' convolutions.
      patch: Side of the square patches of a frame that are one position of the cells' maps, in pixels.
      cell: Name in `CELLS`.
      peepholes: See `ConvLSTMCell`.
      brightness: See `Stack`.
      tied: Whether one stack encodes and predicts: the ConvLSTM baseline of OpenSTL. Else the second stack has
        parameters of its own and begins with the first one's states (Shi et al. 2015, section 3.2).
      classes: Number of classes of clips; 0 for none.
      unroll: Whether time steps are unrolled; see the module's docstring.
      plain: Whether time steps are a loop of Python's, for converters that know no other.
      dtype: Dtype of the computation; parameters are float32.
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
    plain: bool = False
    dtype: Any = jnp.float32

    def setup(self) -> None:
        self.encoder = self.stack()
        self.forecaster = self.encoder if self.tied else self.stack()
        # "looks_0" and so on are the names in saved checkpoints.
        maps = len(self.widths) * (2 if self.cell == "lstm" else 1)
        self.pooled = [PooledFeatures(dtype=self.dtype, name=f"looks_{i}") for i in range(maps)]
        self.head = nn.Dense(self.classes, dtype=self.dtype)

    def stack(self) -> Stack:
        """Makes a stack of cells."""
        scales = self.scales or (1,) * len(self.widths)
        rest = (self.kernel, self.cell, self.peepholes, self.brightness, self.dtype)
        return Stack(self.patch**2 * self.channels, self.widths, scales, *rest)

    def __call__(
        self, inputs: jax.Array, count: int, targets: jax.Array | None = None, forced: jax.Array | None = None
    ) -> Forecast:
        """Predicts frames.

        Args:
          inputs: `[N, T, H, W, C]` in [0, 1], at least two frames; H and W multiples of `patch`.
          count: K, the number of frames to predict; static.
          targets: The true frames after the input `[N, K, H, W, C]`, for teacher forcing.
          forced: `[N, K - 1]` bool, whether the step after each of the first K - 1 targets takes the target, not the
            prediction (scheduled sampling); None forces none.
        """
        patches = self.to_patches(inputs)
        states, frame = self.encoder.initial_states(patches.shape[1:4]), jnp.zeros_like(patches[0])
        all_forced = jnp.ones(patches.shape[:2], bool)
        (states, _), past = self.run(self.encoder, (states, frame), patches[:-1], all_forced[:-1])
        encoded = states
        if self.classes:  # the classifier needs the last frame, too; else only the forecaster takes it
            (encoded, _), _ = self.run(self.encoder, (states, frame), patches[-1:], all_forced[-1:])
        frames = jnp.concatenate([patches[-1:], jnp.zeros((count - 1, *patches.shape[1:]), patches.dtype)])
        takes = jnp.concatenate([all_forced[-1:], jnp.zeros((count - 1, patches.shape[1]), bool)])
        if targets is not None and forced is not None:
            frames = frames.at[1:].set(self.to_patches(targets[:, :-1]))
            takes = takes.at[1:].set(forced.T)
        _, future = self.run(self.forecaster, (states, frame), frames, takes)
        return Forecast(self.to_frames(past), self.to_frames(future), self.classify(encoded))

    def run(self, stack: Stack, start: Any, frames: jax.Array, forced: jax.Array) -> tuple[Any, jax.Array]:
        """Runs a stack through time.

        Args:
          stack: A stack of cells.
          start: Its states, and the prediction for the first step `[N, h, w, P]`.
          frames: Patches of each step's true frame `[T, N, h, w, P]`.
          forced: `[T, N]` bool, whether a step takes the true frame, not the prediction.

        Returns:
          The last states and prediction, and the logits of every step `[T, N, h, w, P]`.
        """

        def step(stack: Stack, carry: Any, given: tuple[jax.Array, jax.Array]) -> Any:
            (states, predicted), (frame, forced) = carry, given
            states, logits = stack(states, jnp.where(forced[:, None, None, None], frame, predicted))
            return (states, nn.sigmoid(logits)), logits

        if self.plain:
            carry, outputs = start, []
            for number in range(len(frames)):
                carry, logits = step(stack, carry, (frames[number], forced[number]))
                outputs.append(logits)
            return carry, jnp.stack(outputs)
        steps = len(frames) if self.unroll else 1
        scanned = nn.scan(step, variable_broadcast="params", split_rngs={"params": False}, unroll=steps)
        return scanned(stack, start, (frames, forced))

    def classify(self, states: list[Any]) -> jax.Array | None:
        """Logits `[N, classes]` from the encoder's states; None without classes."""
        if not self.classes:
            return None
        features = [pool(maps) for pool, maps in zip(self.pooled, jax.tree.leaves(states), strict=True)]
        return self.head(jnp.concatenate(features, -1)).astype(jnp.float32)

    def to_patches(self, frames: jax.Array) -> jax.Array:
        """Frames `[N, T, H, W, C]` -> patches `[T, N, h, w, P]` float32."""
        flat = space_to_depth(frames.astype(jnp.float32).reshape(-1, *frames.shape[2:]), self.patch)
        return flat.reshape(*frames.shape[:2], *flat.shape[1:]).swapaxes(0, 1)

    def to_frames(self, patches: jax.Array) -> jax.Array:
        """Patches `[T, N, h, w, P]` -> frames `[N, T, H, W, C]`."""
        flat = depth_to_space(patches.reshape(-1, *patches.shape[2:]), self.patch)
        return flat.reshape(*patches.shape[:2], *flat.shape[1:]).swapaxes(0, 1)
