"""Sampling pictures from a trained generator, in compiled batches over the local devices."""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Iterator, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxstyle.errors import JaxstyleError
from jaxstyle.inference import latents as latent_points
from jaxstyle.inference.labels import checked, drawn_labels, even_counts, parse_labels, picture_shape, takes_labels
from jaxstyle.inference.run import Run, open_run
from jaxstyle.runtime import compiling
from jaxstyle.training.step import on_all
from jaxstyle.training.task import HasStyles

CHUNK = 64
"""Pictures drawn with one key, on one device: so a sample depends on seed and number only, not on the devices."""


def sample(
    workdir: str | os.PathLike,
    count: int = CHUNK,
    *,
    labels: str | Sequence[int | str] | None = None,
    seed: int = 0,
    checkpoint: str | int = "newest",
    seeds: Sequence[int] = (),
    latents: str | os.PathLike | latent_points.Latents | None = None,
    style_mix: tuple[Sequence[int], Sequence[int]] | None = None,
    layers: Sequence[int] | None = None,
    truncation: float = 1.0,
) -> np.ndarray:
    """Draws pictures from the generator that a workdir holds.

    Args:
      workdir: Of a finished or running training.
      count: How many; the first few of many are those of few.
      labels: Labels for a class-conditional model: a class for each picture, by number or name; or a text as of
        `--labels`, such as `"cat,dog"`, `"0:10"` or `"even"`, whose classes are taken in turn. None draws them by their
        shares in the evaluation split.
      seed: Of the randomness.
      checkpoint: `"newest"`, `"best"` or a step.
      seeds: In place of `count` and `seed`: a picture each, that depends on its seed alone.
      latents: In their place: the latents or styles of `jaxstyle.inference.latents`, or their .npz file.
      style_mix: In their place, of StyleGAN 2: seeds A and B; every A's picture with the styles of every B in `layers`.
      layers: Of `style_mix`, from 0, the coarsest; None is the finer half.
      truncation: Of StyleGAN 2: how far from the mean picture, 0 to 1; lower is more typical, less various.

    Returns:
      float32 `[count, H, W, C]` in [0, 1].

    Raises:
      JaxstyleError: No such run or checkpoint, a task that draws nothing, or labels or latents that cannot be.
    """
    run, turn = truncated(open_run(workdir, checkpoint), truncation), labels
    if isinstance(labels, str):
        labels = parse_labels(labels, run.info.classes)
        turn = np.resize(labels, max(count, 0)).tolist()
    points = latent_points.chosen(run, seeds, latents, style_mix, layers, labels)
    drawn = chunks(run, count, labels=turn, seed=seed) if points is None else latent_points.pictures(run, points)
    return np.concatenate(list(drawn))


def truncated(run: Run, share: float) -> Run:
    """The same run, whose pictures are nearer to the mean one where the share is below 1.

    Raises:
      JaxstyleError: Its task cannot do that, or not so far.
    """
    if share == 1:
        return run
    if not isinstance(run.task, HasStyles):
        raise JaxstyleError(f"the task {run.config.task!r} has no mean picture to be near to: leave --truncation out")
    if not 0 <= share <= 1:
        raise JaxstyleError(f"--truncation is {share:g}; it must be from 0 to 1")
    return dataclasses.replace(run, task=run.task.truncated(share))


def chunks(
    run: Run,
    count: int,
    *,
    labels: Sequence[int | str] | np.ndarray | None = None,
    seed: int = 0,
    transform: Any = None,
    params: Any = None,
) -> Iterator[Any]:
    """Draws pictures, some at a time.

    Args:
      run: Of a generator.
      count: How many altogether.
      labels: One a picture, by number or name; None draws them for a conditional model, see `drawn_labels`.
      seed: Of the randomness.
      transform: Applied to them on the devices, `(params, pictures [64, H, W, C]) -> pytree [64, …]`; None gives the
        pictures themselves.
      params: Of `transform`.

    Yields:
      Results of `transform`, numpy arrays `[n, …]`, `count` altogether.

    Raises:
      JaxstyleError: A count or labels that cannot be.
    """
    if count < 1:
        raise JaxstyleError(f"{count} pictures cannot be drawn; at least 1")
    if labels is None and takes_labels(run):
        labels = drawn_labels(run.info.class_counts or even_counts(run), count, seed)
    picture_shape(run, labels is not None)
    number = -(-count // CHUNK)
    devices = jax.local_devices()[:number]
    wanted = None if labels is None else np.resize(checked(labels, run, count), (number, CHUNK))

    def draw(state: Any, params: Any, key: jax.Array, labels: jax.Array | None) -> Any:
        pictures = jnp.clip(run.task.sample(state, key, CHUNK, labels), 0, 1)
        return pictures if transform is None else transform(params, pictures)

    mapped = compiling.pmap(draw, in_axes=(None, None, 0, 0), devices=devices)
    state, params = on_all((run.state, params), devices)
    root = jax.random.key(seed)
    for start in range(0, number, len(devices)):
        here = np.arange(start, start + len(devices))  # the last ones may be too many, and are left out
        keys = jax.vmap(lambda i: jax.random.fold_in(root, i))(here)
        some = None if wanted is None else wanted[here % number]
        drawn = jax.device_get(mapped(state, params, keys, some))
        left = count - start * CHUNK
        yield jax.tree.map(lambda leaf, left=left: np.asarray(leaf).reshape(-1, *leaf.shape[2:])[:left], drawn)
