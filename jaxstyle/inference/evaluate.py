"""How good a run is: its task's own evaluation, and its samples against the real pictures of the evaluation split."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import jax
import numpy as np
from tqdm import tqdm

from jaxstyle import metrics as measures
from jaxstyle.errors import JaxstyleError, did_you_mean
from jaxstyle.inference import sample
from jaxstyle.inference.feature_space import FeatureSpace, eight_bits, open_space
from jaxstyle.runtime import compiling
from jaxstyle.training import config as configs
from jaxstyle.training import loop
from jaxstyle.training.step import on_all
from jaxstyle.training.workdir import Run, open_run


class Seen(NamedTuple):
    """What a feature space sees in a set of pictures: features `[N, D]`, probabilities `[N, classes]` or None; and the
    labels `[N]` that the pictures have, or were asked for by, where there are any."""

    features: Any
    probabilities: Any
    labels: Any = None


def frechet(real: Seen, drawn: Seen) -> dict[str, Any]:
    """Fréchet distance; FID in its space."""
    sums = [measures.feature_sums(side.features) for side in (real, drawn)]
    return {"frechet": measures.frechet_distance(*sums)}


def kernel(real: Seen, drawn: Seen) -> dict[str, Any]:
    """Kernel distance, and its spread over subsets."""
    mean, deviation = measures.kernel_distance(real.features, drawn.features)
    return {"kid": mean, "kid_deviation": deviation}


def precision_recall(real: Seen, drawn: Seen) -> dict[str, Any]:
    """Improved precision and recall, k = 3."""
    return dict(zip(("precision", "recall"), measures.precision_recall(real.features, drawn.features), strict=True))


def density_coverage(real: Seen, drawn: Seen) -> dict[str, Any]:
    """Density and coverage, k = 5."""
    return dict(zip(("density", "coverage"), measures.density_coverage(real.features, drawn.features), strict=True))


def label_scores(real: Seen, drawn: Seen) -> dict[str, Any]:
    """Inception Score, mean confidence, histogram of labels and its total variation from uniform, of samples only."""
    sums = measures.label_sums(drawn.probabilities)
    histogram = measures.label_histogram(sums)
    return {
        "inception_score": measures.inception_score(sums),
        "confidence": measures.mean_confidence(sums),
        "variation": measures.variation_from_uniform(histogram),
        "histogram": histogram.tolist(),
    }


def label_check(real: Seen, drawn: Seen) -> dict[str, Any]:
    """How often the label asked for is the one seen, over all and in each class, and each class's recall, k = 3, among
    the real pictures of that class (NaN of fewer than four): a generator with one picture a class has next to none."""
    right = np.argmax(drawn.probabilities, -1) == drawn.labels
    shares, recalls = [], []
    for label in range(drawn.probabilities.shape[-1]):
        own = [side.features[side.labels == label] for side in (real, drawn)]
        enough = min(map(len, own)) > 3
        recalls.append(measures.precision_recall(*own)[1] if enough else math.nan)
        shares.append(float(np.mean(right[drawn.labels == label])) if len(own[1]) else math.nan)
    return {"label": float(right.mean()), "label_by_class": shares, "recall_by_class": recalls}


Measure = Callable[[Seen, Seen], dict[str, Any]]
GENERATIVE: dict[str, Measure] = {
    "frechet": frechet,
    "kid": kernel,
    **dict.fromkeys(("precision", "recall"), precision_recall),
    **dict.fromkeys(("density", "coverage"), density_coverage),
    **dict.fromkeys(("inception_score", "confidence", "variation", "histogram"), label_scores),
    "label": label_check,
}
PARTS = {"kid_deviation": "kid", "label_by_class": "label", "recall_by_class": "label"}
"""What is reported beside a metric."""


class Report(NamedTuple):
    """What `evaluate` found.

    Attributes:
      workdir: Of the run.
      step: Of its checkpoint.
      own: The task's metrics over the evaluation split.
      generative: Metrics of samples, and their `PARTS`.
      features: The name of the feature space of the generative ones, "" without them.
      fid: Whether `generative["frechet"]` is FID.
      real: Pictures of the evaluation split that samples were compared with.
      drawn: Samples.
      classes: What the labels mean.
    """

    workdir: str
    step: int
    own: dict[str, Any]
    generative: dict[str, Any]
    features: str = ""
    fid: bool = False
    real: int = 0
    drawn: int = 0
    classes: tuple[str, ...] = ()


def evaluate(
    workdir: str | os.PathLike,
    metrics: Sequence[str] = (),
    *,
    features: str | os.PathLike | None = None,
    count: int = 10_000,
    seed: int = 0,
    checkpoint: str = "newest",
    split: str = "",
    iwae_samples: int = 0,
) -> Report:
    """Scores what a workdir holds. A class-conditional model is asked for its classes in turn.

    Args:
      workdir: Of a finished or running training.
      metrics: Names of the task's own metrics and of `GENERATIVE`; none means all that can be had.
      features: A classifier's workdir, or Inception-v3 by name or file; without it only the task's own are to be had.
      count: Samples drawn, and at most so many real pictures to compare with.
      seed: Of the samples.
      checkpoint: `"newest"`, `"best"` or a step.
      split: Of the dataset, such as `"test[:1000]"`; "" is the recipe's evaluation split.
      iwae_samples: Of the importance weighted bound, `iwae`, of a variational autoencoder; 0 is as the recipe has it.

    Raises:
      JaxstyleError: Bad input, told before anything is drawn.
    """
    run = open_run(workdir, checkpoint)
    space = open_space(features) if features else None
    training = reopened(run, split, iwae_samples)
    own, generative = sorted_out(metrics, training.metrics(), run, space)
    if generative and space:
        check_shapes(run, space, run.setting.spec["image"].shape)
    scores = training.evaluate() if own else {}
    plain = {name: as_plain(scores[name]) for name in own}
    classes = tuple(run.config.data.mask_classes) or run.setting.classes
    report = Report(os.fspath(workdir), int(run.state.step), plain, {}, classes=classes)
    if not generative or not space:
        return report
    drawn = look_at_samples(run, space, count, seed)
    real = look_at_real(training, space, min(count, training.eval_count))
    found: dict[str, Any] = {}
    for measure in dict.fromkeys(GENERATIVE[name] for name in generative):
        found |= measure(real, drawn)
    kept = {name: value for name, value in found.items() if PARTS.get(name, name) in generative}
    return report._replace(
        generative=kept, features=space.name, fid=space.fid, real=len(real.features), drawn=len(drawn.features)
    )


def reopened(run: Run, split: str = "", iwae_samples: int = 0) -> loop.Training:
    """A run's training, to evaluate only, on as many of this machine's devices as can share its batches.

    Raises:
      JaxstyleError: The task has no importance weighted bound, or not of so many samples.
    """
    devices = math.gcd(len(jax.local_devices()), run.config.batch_size)
    changes = {"devices": devices, "progress": "off", "data.eval_split": split or run.config.data.eval_split}
    if iwae_samples:
        if "iwae_samples" not in run.config:
            raise JaxstyleError(
                f"the task {run.config.task!r} has no importance weighted bound: leave iwae_samples out"
            )
        changes["iwae_samples"] = iwae_samples
    config = configs.override(run.config, changes)
    training = loop.Training(config, run.folder, trains=False)
    training.state = training.placed(run.state)
    return training


def sorted_out(
    metrics: Sequence[str], own: Sequence[str], run: Run, space: FeatureSpace | None
) -> tuple[list[str], list[str]]:
    """Which of the wanted metrics are the task's own, and which are of samples.

    Raises:
      JaxstyleError: One that is neither, or that cannot be had here.
    """
    draws = hasattr(run.task, "sample")
    if space and not draws:
        raise JaxstyleError(f"the task {run.config.task!r} draws no pictures for features to compare: leave them out")
    if not metrics:
        lacking: dict[Measure, bool] = {
            label_scores: not classifies(space, run),
            label_check: not checks_labels(space, run),
        }
        return list(own), [name for name, measure in GENERATIVE.items() if space and not lacking.get(measure)]
    generative = [name for name in metrics if name in GENERATIVE and (draws or name not in own)]
    rest = [name for name in metrics if name not in generative]
    for name in rest:
        if name not in own:
            raise JaxstyleError(f"unknown metric {name!r}; {did_you_mean(name, [*own, *GENERATIVE])}")
    if generative and not space:
        raise JaxstyleError(
            f"{generative[0]!r} compares features: add --features with a classifier's workdir or Inception-v3"
        )
    needs = [name for name in generative if GENERATIVE[name] is label_scores]
    if needs and not classifies(space, run):
        raise JaxstyleError(f"{needs[0]!r} needs class probabilities, and {space.name if space else ''} gives none")
    if "label" in generative and not checks_labels(space, run):
        raise JaxstyleError(
            "'label' compares what is asked for with what is seen: it needs a conditional model, and --features with "
            "a classifier of the same classes"
        )
    return rest, generative


def checks_labels(space: FeatureSpace | None, run: Run) -> bool:
    """Whether a feature space tells apart the classes that a run's model is told."""
    return bool(space and space.classes == run.setting.classes and classifies(space, run) and sample.takes_labels(run))


def classifies(space: FeatureSpace | None, run: Run) -> bool:
    """Whether a feature space gives probabilities."""
    if space is None:
        return False
    shape = (1, *(space.shape or run.setting.spec["image"].shape))
    seen = jax.eval_shape(space.look, space.params, jax.ShapeDtypeStruct(shape, np.float32))
    return seen[1] is not None


def check_shapes(run: Run, space: FeatureSpace, real: tuple[int, ...]) -> None:
    """Raises `JaxstyleError` where samples, real pictures and the feature space are of different sizes."""
    drawn = sample.picture_shape(run)
    for name, shape in (("real pictures", real), (space.name, space.shape or drawn)):
        if shape != drawn:
            raise JaxstyleError(f"samples are {text(drawn)}, {name} {text(shape)}: they cannot be compared")


def text(shape: Sequence[int]) -> str:
    """A shape in words."""
    return "×".join(map(str, shape))


def look_at_samples(run: Run, space: FeatureSpace, count: int, seed: int) -> Seen:
    """Draws pictures and looks at them, on the devices; only what is seen comes to the host."""

    def look(params: Any, pictures: jax.Array) -> Seen:
        return Seen(*space.look(params, eight_bits(pictures)))

    labels = np.arange(count) % len(run.setting.classes) if sample.takes_labels(run) else None
    parts = sample.chunks(run, count, labels=labels, seed=seed, look=look, params=space.params)
    return joined(parts, count, "samples")._replace(labels=labels)


def look_at_real(training: loop.Training, space: FeatureSpace, count: int) -> Seen:
    """Looks at pictures of the evaluation split, drawn from all of it: it may be in the order of its classes."""
    chosen = np.sort(np.random.default_rng(0).permutation(training.eval_count)[:count])

    def look(params: Any, images: jax.Array) -> Seen:
        return Seen(*space.look(params, images.astype(np.float32) / 255))

    devices = training.devices
    mapped = compiling.pmap(look, in_axes=(None, 0), devices=devices)
    params = on_all(space.params, devices)

    def parts() -> Any:
        for start in range(0, count, sample.CHUNK * len(devices)):
            places = start + np.arange(sample.CHUNK * len(devices)).reshape(len(devices), -1)
            batch = training.eval_data(chosen[np.minimum(places, count - 1)])
            seen = jax.device_get(mapped(params, batch["image"])._replace(labels=batch.get("label")))
            yield jax.tree.map(lambda leaf, left=count - start: leaf.reshape(-1, *leaf.shape[2:])[:left], seen)

    return joined(parts(), count, "pictures")


def joined(parts: Any, count: int, name: str) -> Seen:
    """Everything seen, in one; a bar on a terminal tells how far it is."""
    collected = []
    with tqdm(total=count, unit=name, disable=None, leave=False) as bar:
        for part in parts:
            collected.append(part)
            bar.update(len(part.features))
    return jax.tree.map(lambda *leaves: np.concatenate(leaves), *collected)


def as_plain(value: Any) -> Any:
    """A number or a list of numbers, for JSON."""
    return np.asarray(value, np.float64).tolist()
