"""Scores of translations among features: how far they are from their domain's pictures, and whether labels are kept."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Any

import jax
import numpy as np

from jaxstyle.errors import JaxstyleError, did_you_mean
from jaxstyle.inference.feature_sets import drawn_places, real_features
from jaxstyle.inference.feature_space import FeatureSpace, eight_bits
from jaxstyle.inference.run import Run
from jaxstyle.metrics import kernel_distance
from jaxstyle.training.evaluation import Evaluation
from jaxstyle.training.restoring import shape_text

METRICS = ("kid_a", "kid_b", "kid_untranslated", "label_a", "label_b")
"""Kernel distances of translations to a domain from its pictures, and of one domain's pictures from the other's; shares
of translations that are classified as the picture's own label."""
KEPT = ("kept_a", "kept_b")
"""Shares of translations that, of the true one as it is drawn with every label, are nearest to that of their own."""
PIXELS = FeatureSpace("", False, lambda params, pictures: (pictures, None), {})
OWN = {"a": "image", "b": "image_b"}
"""Domain -> field of its pictures."""
SOURCES = {"a": ("image_b", "label_b"), "b": ("image", "label")}
"""Domain translated to -> fields of the pictures and labels that are translated."""


def chosen_metrics(
    metrics: Sequence[str], own: Sequence[str], space: FeatureSpace | None, redrawn: bool
) -> tuple[list[str], list[str]]:
    """Divides the wanted metrics, none meaning all, into the task's own and those of translations.

    Args:
      metrics: The wanted ones.
      own: The task's.
      space: For `METRICS`.
      redrawn: Whether the split's pictures can be drawn with other labels, as `KEPT` needs.

    Raises:
      JaxstyleError: One that is neither, or that cannot be had.
    """
    if not metrics:
        return list(own), [*(METRICS if space else ()), *(KEPT if redrawn else ())]
    for name in metrics:
        if name not in (*own, *METRICS, *KEPT):
            raise JaxstyleError(f"unknown metric {name!r}; {did_you_mean(name, [*own, *METRICS, *KEPT])}")
        if name in KEPT and not redrawn:
            raise JaxstyleError(f"{name!r} needs pictures that are drawn with any label, such as shapes_outlined's")
        if name in METRICS and not space:
            raise JaxstyleError(
                f"{name!r} compares features: add --features with a classifier's workdir or Inception-v3"
            )
    return [name for name in metrics if name in own], [name for name in metrics if name not in own]


def redrawn(evaluation: Evaluation) -> bool:
    """Whether the pictures of a split are pairs that can be drawn with other labels."""
    dataset = evaluation.dataset
    return dataset.paired and all(domain.read_as for domain in dataset.domains)


def kept(run: Run, evaluation: Evaluation, count: int) -> dict[str, float]:
    """The metrics of `KEPT`, of as many pictures."""
    places, dataset, found = drawn_places(count, evaluation.count), evaluation.dataset, {}
    labels = [int(dataset.read(place)["label"]) for place in places]
    for to, domain in zip(OWN, dataset.domains, strict=True):
        if to in run.task.made and domain.read_as:
            made = real_features(evaluation, PIXELS, places, partial(translated, run.task, to), run.state).features
            right = [
                nearest(255 * picture, [domain.read_as(place, other)["image"] for other in range(len(dataset.classes))])
                for place, picture in zip(places, made, strict=True)
            ]
            found[f"kept_{to}"] = float(np.mean(np.array(right) == labels))
    return found


def nearest(picture: np.ndarray, drawings: Sequence[np.ndarray]) -> int:
    """Index of the drawing of least squared distance from a picture."""
    return int(np.argmin([np.sum(np.square(picture - drawing)) for drawing in drawings]))


def scores(run: Run, evaluation: Evaluation, space: FeatureSpace, count: int) -> dict[str, float]:
    """Scores the translations of an evaluation split.

    Kernel distances compare every second picture, translated, with the others: a picture and its own true translation
    would not be independent.

    Args:
      run: Of a translation.
      evaluation: Of its split.
      space: In which pictures are compared; labels are scored where it classifies the split's own classes.
      count: Pictures of the split.

    Returns:
      Metrics of `METRICS`.

    Raises:
      JaxstyleError: The pictures are of another size than those of the feature space.
    """
    shape = run.info.spec["image"].shape
    if space.shape and space.shape != shape:
        raise JaxstyleError(
            f"pictures are {shape_text(shape)}, {space.name} {shape_text(space.shape)}: they cannot be compared"
        )
    places = drawn_places(count, evaluation.count)
    real = {to: real_features(evaluation, space, places, partial(source, OWN[to])) for to in OWN}
    half = slice(0, None, 2), slice(1, None, 2)
    found = {"kid_untranslated": kernel_distance(real["a"].features[half[0]], real["b"].features[half[1]])[0]}
    for to in run.task.made:
        view = partial(translated, run.task, to)
        made = real_features(evaluation, space, places, view, run.state)
        found[f"kid_{to}"] = kernel_distance(real[to].features[half[1]], made.features[half[0]])[0]
        if made.probabilities is not None and space.classes == evaluation.dataset.classes:
            labels = [int(evaluation.dataset.read(place)[SOURCES[to][1]]) for place in places]
            found[f"label_{to}"] = float(np.mean(np.argmax(made.probabilities, -1) == np.array(labels)))
    return found


def source(name: str, params: Any, batch: Any) -> jax.Array:
    """The pictures of a batch's field in [0, 1]."""
    return batch[name].astype(np.float32) / 255


def translated(task: Any, to: str, state: Any, batch: Any) -> jax.Array:
    """The translations to a domain of a batch, rounded to 8 bits as files are."""
    return eight_bits(task.translate(state, source(SOURCES[to][0], None, batch), to))
