"""Films of a generator's pictures along closed paths through its latent space, or through that of its styles."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import jax
import numpy as np

from jaxstyle.errors import JaxstyleError
from jaxstyle.inference import latents
from jaxstyle.inference.latents import Latents
from jaxstyle.inference.run import Run
from jaxstyle.runtime import compiling
from jaxstyle.tasks.gan_networks import great_circle
from jaxstyle.training.task import DecodesLatents

STOPS = 4
"""Random latents that a path goes through."""
SPACES = ("z", "w")


def films(
    run: Run,
    count: int,
    frames: int,
    *,
    labels: Sequence[int | str] | None = None,
    seed: int = 0,
    through: Latents | None = None,
    space: str = "z",
) -> Iterator[np.ndarray]:
    """Draws the frames of films, each from one random latent to the next, four in all, and back to the first.

    Between two latents the path is a great circle's arc, on which latents stay as long as normal ones are; between
    styles it is straight.

    Args:
      run: Of a generator that decodes latents.
      count: Number of films.
      frames: Of each film; the last one comes before the first again.
      labels: One a film, by number or name; None draws them for a conditional model.
      seed: Of the latents.
      through: What one film goes through in place of random latents; `count`, `labels` and `seed` do not count then.
      space: `"z"`, or `"w"` through the styles of the latents, where there are any.

    Yields:
      A frame of every film, `[count, H, W, C]` in [0, 1].

    Raises:
      JaxstyleError: The task decodes no latents, or the counts or labels cannot be.
    """
    if not isinstance(run.task, DecodesLatents):
        raise JaxstyleError(f"the task {run.config.task!r} has no latents to interpolate between")
    count, number = (count, STOPS) if through is None else (1, len(through.values))
    if number < 2:
        raise JaxstyleError("a film goes through two latents at least, and there is one")
    if count < 1 or frames < number:
        raise JaxstyleError(f"{count} films of {frames} frames cannot be drawn; at least 1, of {number} frames")
    if through is None:
        own = latents.labels_for(run, count, labels, seed)
        drawn = jax.random.normal(jax.random.key(seed), (number * count, run.task.latents))
        through = Latents(np.asarray(drawn), None if own is None else np.tile(own, number))
    stops = latents.styles_of(run, through) if space == "w" else through
    chosen = None if stops.labels is None else stops.labels.reshape(number, count)
    if chosen is not None and (chosen != chosen[:1]).any():
        raise JaxstyleError("a film from one class to another goes through the space w, of a generator that has one")
    decode = compiling.jit(lambda state, *point: latents.decode(run, state, *point))
    for values in paths(stops.values.reshape(number, count, *stops.values.shape[1:]), frames):
        yield jax.device_get(decode(run.state, values, None if chosen is None else chosen[0]))


def paths(stops: np.ndarray, frames: int) -> Iterator[jax.Array]:
    """Yields the points of closed paths through latents `[S, N, Z]` or styles `[S, N, layers, W]`, frame by frame."""
    arc = jax.jit(jax.vmap(lambda start, end, share: great_circle(start, end, share[None])[0], (0, 0, None)))
    for frame in range(frames):
        stop, share = divmod(frame * len(stops) / frames, 1)
        start, end = stops[int(stop)], stops[(int(stop) + 1) % len(stops)]
        yield arc(start, end, np.float32(share)) if stops.ndim == 3 else start + np.float32(share) * (end - start)
