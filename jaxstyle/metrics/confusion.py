"""What a confusion matrix tells: accuracy, and precision, recall, F1 and IoU of every class.

Matrices of several batches or devices are merged by adding. Rows are what is, columns what was said.
"""

from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxstyle.errors import JaxstyleError


def confusion_matrix(
    labels: jax.Array, predictions: jax.Array, classes: int, weights: jax.Array | None = None
) -> jax.Array:
    """Counts how often each class was taken for each.

    Args:
      labels: Integers of any shape, from 0 to `classes - 1`; others are not counted.
      predictions: Integers of the same shape.
      classes: C.
      weights: Of the same shape, 1 for what counts and 0 for what does not; None counts everything.

    Returns:
      `[C, C]` float32, rows true, columns predicted; exact up to 16,777,216 of a kind, so sum batches in float64.

    Raises:
      JaxstyleError: The shapes differ.
    """
    if labels.shape != predictions.shape:
        raise JaxstyleError(f"labels {labels.shape} and predictions {predictions.shape} differ in shape")
    labels, predictions = labels.astype(jnp.int32), predictions.astype(jnp.int32)  # bytes would overflow below
    known = (labels >= 0) & (labels < classes) & (predictions >= 0) & (predictions < classes)
    amounts = known.astype(jnp.float32) if weights is None else jnp.where(known, weights.astype(jnp.float32), 0)
    cells = jnp.where(known, labels * classes + predictions, 0)
    counts = jnp.zeros(classes * classes, jnp.float32).at[cells.reshape(-1)].add(amounts.reshape(-1))
    return counts.reshape(classes, classes)


def accuracy(matrix: np.ndarray) -> float:
    """The share of everything that was taken for what it is; of a matrix `[C, C]`, in [0, 1]."""
    return float(ratio(np.trace(matrix), np.sum(matrix)))


def precision(matrix: np.ndarray) -> np.ndarray:
    """Of what was said to be a class, the share that is; `[C]`, NaN where nothing was."""
    return ratio(np.diagonal(matrix), np.sum(matrix, 0))


def recall(matrix: np.ndarray) -> np.ndarray:
    """Of what is a class, the share that was said to be; `[C]`, NaN where there is nothing."""
    return ratio(np.diagonal(matrix), np.sum(matrix, 1))


def f1(matrix: np.ndarray) -> np.ndarray:
    """The harmonic mean of precision and recall, which is the Dice coefficient `2 |A ∩ B| / (|A| + |B|)`; `[C]`, NaN
    where the class neither is nor was said to be."""
    return ratio(2 * np.diagonal(matrix), np.sum(matrix, 0) + np.sum(matrix, 1))


def iou(matrix: np.ndarray) -> np.ndarray:
    """Intersection over union, the Jaccard index `|A ∩ B| / |A ∪ B|`; `[C]`, NaN where the union is empty."""
    both = np.diagonal(matrix)
    return ratio(both, np.sum(matrix, 0) + np.sum(matrix, 1) - both)


def mean_of_present(values: np.ndarray) -> float:
    """The mean over the classes that are there, those that are not NaN; NaN where there are none."""
    present = np.asarray(values)[~np.isnan(values)]
    return float(present.mean()) if present.size else float("nan")


def ratio(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    """Quotients in float64, NaN where the whole is 0."""
    part, whole = np.asarray(part, np.float64), np.asarray(whole, np.float64)
    return np.divide(part, whole, out=np.full(np.shape(whole), np.nan), where=whole != 0)


def summary(matrix: np.ndarray) -> dict[str, Any]:
    """What a confusion matrix `[C, C]` tells: `accuracy`, `macro_f1`; `precision`, `recall` and `f1`, `[C]`; itself."""
    each = {"precision": precision(matrix), "recall": recall(matrix), "f1": f1(matrix)}
    whole = {"accuracy": accuracy(matrix), "macro_f1": mean_of_present(each["f1"])}
    return {**whole, **each, "confusion": matrix}
