"""Confusion matrices, and accuracy, precision, recall, F1 and IoU from them.

Matrices of several batches or devices are merged by adding. Rows are true classes, columns predicted ones.
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
    """Counts the predictions of each class for each true class.

    Args:
      labels: Integers of any shape, from 0 to `classes - 1`; others are not counted.
      predictions: Integers of the same shape.
      classes: C.
      weights: Of the same shape, 1 for examples that count and 0 for others; None counts all.

    Returns:
      `[C, C]` float32, rows true, columns predicted; counts are exact up to 2²⁴, so sum batches in float64.

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
    """The share of correct predictions in a confusion matrix `[C, C]`, rows true classes; in [0, 1]."""
    return float(ratio(np.trace(matrix), np.sum(matrix)))


def precision(matrix: np.ndarray) -> np.ndarray:
    """The share of correct predictions among all of each class, `[C]` in [0, 1]; NaN for classes never predicted."""
    return ratio(np.diagonal(matrix), np.sum(matrix, 0))


def recall(matrix: np.ndarray) -> np.ndarray:
    """The share of correctly predicted examples among all of each class, `[C]` in [0, 1]; NaN for absent classes."""
    return ratio(np.diagonal(matrix), np.sum(matrix, 1))


def f1(matrix: np.ndarray) -> np.ndarray:
    """The harmonic mean of precision and recall, equal to the Dice coefficient `2 |A ∩ B| / (|A| + |B|)`.

    `[C]` in [0, 1]; NaN for classes that are neither present nor predicted.
    """
    return ratio(2 * np.diagonal(matrix), np.sum(matrix, 0) + np.sum(matrix, 1))


def iou(matrix: np.ndarray) -> np.ndarray:
    """Intersection over union, the Jaccard index `|A ∩ B| / |A ∪ B|`, `[C]` in [0, 1]; NaN where the union is empty."""
    both = np.diagonal(matrix)
    return ratio(both, np.sum(matrix, 0) + np.sum(matrix, 1) - both)


def mean_of_present(values: np.ndarray) -> float:
    """The mean over the values that are not NaN; NaN where there are none."""
    present = np.asarray(values)[~np.isnan(values)]
    return float(present.mean()) if present.size else float("nan")


def ratio(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    """Quotients in float64, NaN where the whole is 0."""
    part, whole = np.asarray(part, np.float64), np.asarray(whole, np.float64)
    return np.divide(part, whole, out=np.full(np.shape(whole), np.nan), where=whole != 0)


def summary(matrix: np.ndarray) -> dict[str, Any]:
    """Metrics of a matrix `[C, C]`: `accuracy`, `macro_f1`; `precision`, `recall`, `f1` `[C]`; `confusion`, itself."""
    each = {"precision": precision(matrix), "recall": recall(matrix), "f1": f1(matrix)}
    whole = {"accuracy": accuracy(matrix), "macro_f1": mean_of_present(each["f1"])}
    return {**whole, **each, "confusion": matrix}
