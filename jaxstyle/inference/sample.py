"""Sampling pictures from a trained generator, in compiled batches over the local devices."""

from __future__ import annotations

import dataclasses
import os
import sys
from collections.abc import Iterator, Sequence
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxstyle.errors import JaxstyleError, did_you_mean
from jaxstyle.inference.run import Run, open_run
from jaxstyle.runtime import compiling
from jaxstyle.training.step import on_all
from jaxstyle.training.task import Samples, Truncates

CHUNK = 64
"""Pictures drawn with one key, on one device: so a sample depends on seed and number only, not on the devices."""
STRIDE = (5**0.5 - 1) / 2
"""The golden ratio's fraction: its multiples modulo 1, however many, lie evenly in [0, 1]."""
EVEN = "even"


def sample(
    workdir: str | os.PathLike,
    count: int = CHUNK,
    *,
    labels: str | Sequence[int | str] | None = None,
    seed: int = 0,
    checkpoint: str | int = "newest",
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

    Returns:
      float32 `[count, H, W, C]` in [0, 1].

    Raises:
      JaxstyleError: No such run or checkpoint, a task that draws nothing, or labels that cannot be.
    """
    run = open_run(workdir, checkpoint)
    if isinstance(labels, str):
        labels = np.resize(parse_labels(labels, run.info.classes), max(count, 0)).tolist()
    return np.concatenate(list(chunks(run, count, labels=labels, seed=seed)))


def picture_shape(run: Run, labelled: bool = False) -> tuple[int, ...]:
    """The shape of a picture that a run's task draws, `(H, W, C)`.

    Raises:
      JaxstyleError: It draws none, or none by labels.
    """
    if not isinstance(run.task, Samples):
        raise JaxstyleError(f"the task {run.config.task!r} draws no pictures; give the workdir of a VAE or a GAN")
    labels = np.zeros(CHUNK, np.int32) if labelled else None
    drawn = jax.eval_shape(lambda state, key: run.task.sample(state, key, CHUNK, labels), run.state, jax.random.key(0))
    return drawn.shape[1:]


def truncated(run: Run, share: float) -> Run:
    """The same run, whose pictures are nearer to the mean one.

    Raises:
      JaxstyleError: Its task cannot do that, or not so far.
    """
    if not isinstance(run.task, Truncates):
        raise JaxstyleError(f"the task {run.config.task!r} has no mean picture to be near to: leave --truncation out")
    if not 0 <= share <= 1:
        raise JaxstyleError(f"--truncation is {share:g}; it must be from 0 to 1")
    return dataclasses.replace(run, task=run.task.truncated(share))


def takes_labels(run: Run) -> bool:
    """True where a run's task draws pictures by labels."""
    try:
        return bool(run.info.classes and picture_shape(run, labelled=True))
    except JaxstyleError:
        return False


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


def drawn_labels(class_counts: Sequence[int], count: int, seed: int) -> np.ndarray:
    """Draws labels of classes by their shares, which the first few labels have, too, as nearly as they can.

    Args:
      class_counts: Examples of each class.
      count: Number of labels.
      seed: Seed of the first place in the classes' cumulative distribution; the others follow by `STRIDE`.

    Returns:
      `[count]`.

    Raises:
      JaxstyleError: There are no examples.
    """
    if not sum(class_counts):
        raise JaxstyleError("no example of the evaluation split has a label to draw by: choose even labels")
    places = (np.random.default_rng(seed).random() + STRIDE * np.arange(count)) % 1
    edges = np.cumsum(class_counts) / np.sum(class_counts)
    return np.searchsorted(edges, places, side="right")


def even_counts(run: Run) -> list[int]:
    """Returns equal counts of the classes, for the workdir of an earlier version, and says so."""
    why = f"{os.fspath(run.folder)!r} does not say how many examples the classes have"
    print(f"jaxstyle: {why}: labels are drawn evenly", file=sys.stderr)
    return [1] * len(run.info.classes)


def checked(labels: Sequence[int | str] | np.ndarray, run: Run, count: int) -> np.ndarray:
    """Returns labels as `[count]` int32.

    Raises:
      JaxstyleError: Not one a picture, or one that the run has no class for.
    """
    names, classes = run.info.classes, len(run.info.classes)
    array = np.asarray([parse_label(one, names) if isinstance(one, str) else one for one in labels], np.int32)
    if array.shape != (count,):
        raise JaxstyleError(f"{array.size} labels for {count} pictures; give one a picture")
    wrong = array[(array < 0) | (array >= classes)]
    if wrong.size:
        raise JaxstyleError(f"there is no class {wrong[0]}; the run has {classes}, from 0 to {classes - 1}")
    return array


def parse_labels(text: str, classes: Sequence[str]) -> list[int]:
    """Parses labels written `7`, `cat,dog`, `0:10` (without the last) or `even` (all), by number or the class's name.

    Raises:
      JaxstyleError: No such class.
    """
    if text.strip() == EVEN and EVEN not in classes:
        text = f"0:{len(classes)}"
    first, colon, last = text.partition(":")
    if colon and first.strip().isdecimal() and last.strip().isdecimal() and int(first) < int(last) <= len(classes):
        return list(range(int(first), int(last)))
    if colon:
        raise JaxstyleError(f"labels {text!r} are no range of the {len(classes)} classes; write 0:{len(classes)}")
    return [parse_label(word, classes) for word in text.split(",")]


def parse_label(word: str, classes: Sequence[str]) -> int:
    """Finds a class by its name or, where no class is called so, its number.

    Raises:
      JaxstyleError: No such class.
    """
    word = word.strip()
    if word in classes:
        return list(classes).index(word)
    if word.isdecimal() and int(word) < len(classes):
        return int(word)
    raise JaxstyleError(f"there is no class {word!r}; {did_you_mean(word, classes)}")
