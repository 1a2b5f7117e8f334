"""The projection job with generators of trained workdirs, which may draw for other pixel jobs, too."""

from __future__ import annotations

import dataclasses
import functools
from collections.abc import Callable, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxstyle.errors import JaxstyleError
from jaxstyle.features import Features
from jaxstyle.inference import latents
from jaxstyle.inference.labels import takes_labels
from jaxstyle.inference.latents import Latents
from jaxstyle.inference.run import open_run
from jaxstyle.pixels import parametrizations, project
from jaxstyle.pixels.job import Inputs, Point
from jaxstyle.pixels.loop import Problem
from jaxstyle.pixels.parametrizations import Parametrization
from jaxstyle.runtime.buckets import in_bucket
from jaxstyle.runtime.settings import named
from jaxstyle.training import config_file


def generator(
    workdir: str, *, checkpoint: str = "newest", space: str = "z", label: str = "", candidates: int = 64
) -> tuple[Parametrization, tuple[int, int], Callable[[np.ndarray], Latents]]:
    """The generator of a trained workdir as a parametrisation of pictures.

    Args:
      workdir: Of a GAN or a variational autoencoder.
      checkpoint: `"newest"`, `"best"` or a step.
      space: `"z"`, or of StyleGAN 2 `"w"` or `"w+"`.
      label: Class, by number or name, of a conditional generator; through styles pictures may be of any.
      candidates: Random latents of which one is the first.

    Returns:
      The parametrisation, height and width of its pictures, and the function of its `latents` that gives what
      `jaxstyle.sample` takes.

    Raises:
      JaxstyleError: No such run, space or class.
    """
    if not workdir:
        raise JaxstyleError(f"name the training whose generator it is by {named('workdir')}")
    run = open_run(workdir, checkpoint)
    if space == "z" and not label and takes_labels(run):
        raise JaxstyleError(f"the generator of {workdir!r} is told a class: choose one by {named('label')}")
    points = latents.of_seeds(run, range(candidates), [label] if label else None)
    values = points.values if space == "z" else latents.styles_of(run, points).values
    layers, values = values.shape[1], values[:, 0] if space == "w" else values

    def found(moved: np.ndarray) -> Latents:
        if space == "z":
            return Latents(moved, None if points.labels is None else points.labels[: len(moved)])
        return Latents(moved if space == "w+" else np.repeat(moved[:, None], layers, 1))

    def draw(moved: jax.Array) -> jax.Array:
        values = jnp.repeat(moved[:, None], layers, 1) if space == "w" else moved
        labels = None if points.labels is None else jnp.repeat(points.labels[:1], len(moved))
        pictures = latents.decode(run, run.state, values, labels)
        return jnp.broadcast_to(pictures, (*pictures.shape[:3], 3))

    made = parametrizations.latents(draw, values, into_ball if space == "z" else parametrizations.unchanged)
    return made, jax.eval_shape(draw, values).shape[1:3], found


def into_ball(values: jax.Array) -> jax.Array:
    """Latents `[Z]` no longer than normal ones are."""
    return values * jnp.minimum(1, values.size**0.5 / jnp.maximum(jnp.linalg.norm(values), 1e-12))


def of_config(config: Any) -> tuple[Parametrization, tuple[int, int], Callable[[np.ndarray], Latents]]:
    """The generator that settings name: the very same one while its checkpoints are, so that programs are shared."""
    chosen = (config.workdir, config.checkpoint, config.space, config.label, config.candidates)
    if in_bucket(config.workdir):
        return _opened.__wrapped__(*chosen, ())
    kept = config_file.absolute(config.workdir) / "checkpoints"
    files = sorted(kept.iterdir()) if kept.is_dir() else []
    return _opened(*chosen, (str(kept), *((path.name, path.stat().mtime) for path in files)))


@functools.lru_cache(maxsize=2)
def _opened(workdir: str, checkpoint: str, space: str, label: str, candidates: int, state: Any) -> Any:
    return generator(workdir, checkpoint=checkpoint, space=space, label=label, candidates=candidates)


def prepare(config: Any, features: Features, inputs: Inputs, points: Sequence[Point] = ({},)) -> Problem:
    """`project.prepare`, with the generator that the settings name."""
    made, shape, _ = of_config(config)
    return project.prepare(config, features, inputs, points, generator=made, shape=shape)


def found(config: Any, params: Any) -> Latents:
    """The latents of one picture."""
    return of_config(config)[2](np.asarray(params["latents"])[None])


JOB = dataclasses.replace(project.JOB, prepare=prepare, found=found)
