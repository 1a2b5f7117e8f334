"""Latents of a generator, or the styles that they are mapped to: of seeds, of files, mixed; and their pictures."""

from __future__ import annotations

import io
import os
import pathlib
import zipfile
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

import jax
import jax.numpy as jnp
import numpy as np

from jaxstyle.errors import JaxstyleError
from jaxstyle.inference.labels import checked, drawn_labels, even_counts, takes_labels
from jaxstyle.inference.run import Run
from jaxstyle.media.image_writing import write_whole
from jaxstyle.runtime import compiling
from jaxstyle.training.task import DecodesLatents, HasStyles

AT_ONCE = 64
"""Pictures."""


class Latents(NamedTuple):
    """Points of a generator's latent space.

    Attributes:
      values: `[N, Z]` latents, or `[N, layers, W]` styles.
      labels: `[N]` classes of latents; None where there are no classes, and of styles, which are made with them.
    """

    values: np.ndarray
    labels: np.ndarray | None = None

    def write(self, path: str | os.PathLike) -> None:
        """Writes an .npz; it appears only when whole."""
        name = "styles" if self.values.ndim == 3 else "latents"
        labels = {} if self.labels is None else {"labels": self.labels}
        data = io.BytesIO()
        np.savez(data, **{name: self.values}, **labels)  # type: ignore[arg-type]
        write_whole(pathlib.Path(path), data.getvalue())


def chosen(
    run: Run,
    seeds: Sequence[int] = (),
    latents: str | os.PathLike | Latents | None = None,
    style_mix: tuple[Sequence[int], Sequence[int]] | None = None,
    layers: Sequence[int] | None = None,
    labels: Sequence[int | str] | None = None,
) -> Latents | None:
    """The latents that arguments of `jaxstyle.sample` choose; None where they choose none.

    Raises:
      JaxstyleError: They choose them twice, or such as cannot be.
    """
    if (len(seeds) > 0) + (latents is not None) + (style_mix is not None) > 1:
        raise JaxstyleError("seeds, latents and style-mix each choose the pictures: give one of them")
    if layers is not None and style_mix is None:
        raise JaxstyleError("layers are those of style-mix: give two seeds to mix, or leave them out")
    if style_mix is not None:
        first, second = (of_seeds(run, each, labels) for each in style_mix)
        return mixed(run, first, second, layers)
    if isinstance(latents, Latents):
        return latents
    return of_seeds(run, seeds, labels) if len(seeds) else None if latents is None else read(latents, run)


def of_seeds(run: Run, seeds: Sequence[int], labels: Sequence[int | str] | None = None) -> Latents:
    """Normal latents, each a function of its seed alone.

    Args:
      run: Of a generator.
      seeds: From 0.
      labels: Taken in turn, by number or name; None draws them for a conditional model.

    Raises:
      JaxstyleError: The run's task decodes no latents, a seed is below 0, or there is no such label.
    """
    if not isinstance(run.task, DecodesLatents):
        raise JaxstyleError(f"the task {run.config.task!r} has no latents to draw by seeds, to read or to interpolate")
    if min(seeds, default=0) < 0 or max(seeds, default=0) >= 2**32:
        raise JaxstyleError(f"there is no seed {next(s for s in seeds if not 0 <= s < 2**32)}; write one from 0")
    values = [jax.random.normal(jax.random.key(seed), (run.task.latents,)) for seed in seeds]
    return Latents(np.stack(values), labels_for(run, len(values), labels))


def labels_for(run: Run, count: int, labels: Sequence[int | str] | None, seed: int = 0) -> np.ndarray | None:
    """Labels `[count]`: those given, in turn, or drawn ones for a conditional model; None where there are none."""
    if labels is None:
        if not takes_labels(run):
            return None
        return drawn_labels(run.info.class_counts or even_counts(run), count, seed).astype(np.int32)
    return np.resize(checked(labels, run, len(labels)), count)


def read(path: str | os.PathLike, run: Run) -> Latents:
    """Reads what `Latents.write` writes: an .npz with `latents` `[N, Z]` and maybe `labels` `[N]`, or with `styles`.

    Raises:
      JaxstyleError: It cannot be read, or does not suit the run's generator.
    """
    try:
        with np.load(path, allow_pickle=False) as file:
            found = {name: file[name] for name in ("latents", "styles", "labels") if name in file}
    except (OSError, ValueError, EOFError, TypeError, AttributeError, zipfile.BadZipFile):
        raise JaxstyleError(f"{os.fspath(path)!r} cannot be read as an .npz of latents") from None
    name = "styles" if "styles" in found else "latents"
    wanted = shape_of(run, styles=name == "styles")
    values = found.get(name, np.zeros(0))
    if values.shape[1:] != wanted or not len(values) or values.dtype.kind != "f" or not np.isfinite(values).all():
        text = f"{name!r} of shape (N, {', '.join(map(str, wanted))})"
        raise JaxstyleError(f"{os.fspath(path)!r} does not suit the run: it must have finite {text}")
    labels = found.get("labels") if takes_labels(run) and name == "latents" else None
    if labels is not None and (labels.shape != values.shape[:1] or labels.dtype.kind not in "iu"):
        raise JaxstyleError(f"{os.fspath(path)!r} must have 'labels' of whole numbers, one a latent")
    given = None if labels is None else labels.tolist()
    return Latents(values.astype(np.float32), None if name == "styles" else labels_for(run, len(values), given))


def shape_of(run: Run, styles: bool) -> tuple[int, ...]:
    """The shape of one latent, or of one picture's styles."""
    latents = of_seeds(run, [0])
    return (styles_of(run, latents) if styles else latents).values.shape[1:]


def styles_of(run: Run, latents: Latents) -> Latents:
    """The styles of latents, or styles as they are; raises `JaxstyleError` where a generator has none."""
    if latents.values.ndim == 3:
        return latents
    if not isinstance(run.task, HasStyles):
        raise JaxstyleError(f"the task {run.config.task!r} maps latents to no styles; a GAN of 'stylegan2' does")
    return Latents(np.asarray(compiling.jit(run.task.styles)(run.state, *latents)))


def mixed(run: Run, first: Latents, second: Latents, layers: Sequence[int] | None = None) -> Latents:
    """The styles of every one of some latents with every one of others, whose styles some layers take.

    Args:
      run: Of a generator with styles.
      first: A of them.
      second: B of them.
      layers: That take the second's, from 0, the coarsest; None is the finer half.

    Returns:
      Styles `[A · B, layers, W]`, those of the first one first.

    Raises:
      JaxstyleError: The generator has no styles, or no such layer.
    """
    rows, columns = (styles_of(run, each).values for each in (first, second))
    number = rows.shape[1]
    taken = list(range(number // 2, number) if layers is None else layers)
    if wrong := [layer for layer in taken if not 0 <= layer < number]:
        raise JaxstyleError(f"there is no layer {wrong[0]}; the generator has {number}, from 0 to {number - 1}")
    made = np.repeat(rows, len(columns), 0)
    made[:, taken] = np.tile(columns, (len(rows), 1, 1))[:, taken]
    return Latents(made)


def decode(run: Run, state: Any, values: jax.Array, labels: jax.Array | None) -> jax.Array:
    """Pictures `[N, H, W, C]` in [0, 1] of latents or styles; pure."""
    styles = values.ndim == 3
    drawn = run.task.decode_styles(state, values) if styles else run.task.decode(state, values, labels)
    return jnp.clip(drawn, 0, 1)


def pictures(run: Run, latents: Latents) -> Iterator[np.ndarray]:
    """Yields the pictures of latents or styles, some at a time, `[n, H, W, C]` in [0, 1], N altogether."""
    program = compiling.jit(lambda state, values, labels: decode(run, state, values, labels))
    count, size = len(latents.values), min(len(latents.values), AT_ONCE)
    for start in range(0, count, size):
        part = [None if leaf is None else leaf[np.arange(start, start + size) % count] for leaf in latents]
        yield jax.device_get(program(run.state, *part))[: count - start]


def numbers(text: str, option: str) -> list[int]:
    """Whole numbers written `7`, `3,5` or `0:10` (without the last).

    Raises:
      JaxstyleError: It is written otherwise, or is none.
    """
    found: list[int] = []
    for part in text.split(","):
        first, colon, last = (piece.strip() for piece in part.partition(":"))
        if not first.isdecimal() or (colon and not last.isdecimal()):
            raise JaxstyleError(f"{option} {text!r} is not of the form 7, 3,5 or 0:10")
        found += range(int(first), int(last)) if colon else [int(first)]
    if not found:
        raise JaxstyleError(f"{option} {text!r} names nothing")
    return found
