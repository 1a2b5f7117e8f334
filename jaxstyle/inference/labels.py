"""Labels of the pictures that a generator draws: which it takes, how they are written, and how they are drawn."""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence

import jax
import numpy as np

from jaxstyle.errors import JaxstyleError, did_you_mean
from jaxstyle.inference.run import Run
from jaxstyle.training.task import Samples

STRIDE = (5**0.5 - 1) / 2
"""The golden ratio's fraction: its multiples modulo 1, however many, lie evenly in [0, 1]."""
EVEN = "even"


def picture_shape(run: Run, labelled: bool = False) -> tuple[int, ...]:
    """The shape of a picture that a run's task draws, `(H, W, C)`.

    Raises:
      JaxstyleError: It draws none, or none by labels.
    """
    if not isinstance(run.task, Samples):
        raise JaxstyleError(f"the task {run.config.task!r} draws no pictures; give the workdir of a VAE or a GAN")
    labels = np.zeros(1, np.int32) if labelled else None
    drawn = jax.eval_shape(lambda state, key: run.task.sample(state, key, 1, labels), run.state, jax.random.key(0))
    return drawn.shape[1:]


def takes_labels(run: Run) -> bool:
    """True where a run's task draws pictures by labels."""
    try:
        return bool(run.info.classes and picture_shape(run, labelled=True))
    except JaxstyleError:
        return False


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
