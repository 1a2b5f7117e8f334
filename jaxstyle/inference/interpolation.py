"""Films of a generator's pictures along closed paths through its latent space."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import jax
import jax.numpy as jnp
import numpy as np

from jaxstyle.errors import JaxstyleError
from jaxstyle.inference import sample
from jaxstyle.inference.run import Run
from jaxstyle.runtime import compiling
from jaxstyle.tasks.gan_networks import great_circle
from jaxstyle.training.task import DecodesLatents

STOPS = 4
"""Random latents that a path goes through."""


def films(
    run: Run, count: int, frames: int, *, labels: Sequence[int | str] | None = None, seed: int = 0
) -> Iterator[np.ndarray]:
    """Draws the frames of films, each from one random latent to the next, four in all, and back to the first.

    Between two latents the path is a great circle's arc, on which latents stay as long as normal ones are.

    Args:
      run: Of a generator that decodes latents.
      count: Number of films.
      frames: Of each film; the last one comes before the first again.
      labels: One a film, by number or name; None draws them for a conditional model.
      seed: Of the latents.

    Yields:
      A frame of every film, `[count, H, W, C]` in [0, 1].

    Raises:
      JaxstyleError: The task decodes no latents, or the counts or labels cannot be.
    """
    task = run.task
    if not isinstance(task, DecodesLatents):
        raise JaxstyleError(f"the task {run.config.task!r} has no latents to interpolate between")
    if count < 1 or frames < STOPS:
        raise JaxstyleError(f"{count} films of {frames} frames cannot be drawn; at least 1, of {STOPS} frames")
    if labels is None and sample.takes_labels(run):
        labels = sample.drawn_labels(run.info.class_counts or sample.even_counts(run), count, seed).tolist()
    chosen = None if labels is None else sample.checked(labels, run, count)
    decode = compiling.jit(lambda state, latents, labels: jnp.clip(task.decode(state, latents, labels), 0, 1))
    for latents in paths(jax.random.key(seed), count, frames, task.latents):
        yield jax.device_get(decode(run.state, latents, chosen))


def paths(key: jax.Array, count: int, frames: int, latents: int) -> Iterator[jax.Array]:
    """Yields the points of closed paths, one frame after the other: `[count, latents]`."""
    stops = jax.random.normal(key, (STOPS, count, latents))
    arc = jax.jit(jax.vmap(great_circle, (0, 0, None), 1))
    for frame in range(frames):
        stop, share = divmod(frame * STOPS / frames, 1)
        yield arc(stops[int(stop)], stops[(int(stop) + 1) % STOPS], jnp.full(1, share))[0]
