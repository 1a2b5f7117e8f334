"""Scores of a trained run: its task's own evaluation, and its samples against the evaluation split's pictures."""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from typing import Any, NamedTuple

import jax
import numpy as np

from jaxstyle.data.fingerprints import fingerprints
from jaxstyle.errors import JaxstyleError, did_you_mean
from jaxstyle.inference import translations
from jaxstyle.inference.feature_sets import drawn_places, real_features, sample_features
from jaxstyle.inference.feature_space import FeatureSpace, open_space, suited
from jaxstyle.inference.labels import EVEN, drawn_labels, picture_shape, takes_labels
from jaxstyle.inference.run import Run, open_run
from jaxstyle.inference.sample_metrics import GENERATIVE, PARTS, Measure, label_check, label_scores
from jaxstyle.training import config_file, same_data
from jaxstyle.training.config import override
from jaxstyle.training.devices import leader_first
from jaxstyle.training.evaluation import Evaluation, open_split
from jaxstyle.training.restoring import shape_text
from jaxstyle.training.state import TrainState
from jaxstyle.training.step import on_all
from jaxstyle.training.task import Samples, Translates, fixed_of, load_task

LABELS = ("shares", EVEN)


class Report(NamedTuple):
    """The result of `evaluate`.

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
    checkpoint: str | int = "newest",
    split: str = "",
    data: str | os.PathLike | None = None,
    iwae_samples: int = 0,
    labels: str = "shares",
) -> Report:
    """Scores a trained run.

    Args:
      workdir: Of a finished or running training.
      metrics: Names of the task's own metrics and of `GENERATIVE`; none means all that can be had.
      features: A classifier's workdir, `"digits"` (the classifier of digits that the package ships), or Inception-v3 by
        name or file; without it only the task's own are to be had.
      count: Samples drawn, and at most so many real pictures to compare with.
      seed: Of the samples.
      checkpoint: `"newest"`, `"best"` or a step.
      split: Of the dataset, such as `"test[:1000]"`; "" is the recipe's evaluation split.
      data: Folder of the pictures, or of TFDS's datasets; None is where the run found them.
      iwae_samples: Of the importance weighted bound, `iwae`, of a variational autoencoder; 0 is as the recipe has it.
      labels: Labels of a class-conditional model's samples: `"shares"` draws them by the classes' shares in the split,
        `"even"` takes the classes in turn.

    Raises:
      JaxstyleError: Bad input, before anything is drawn.
    """
    if labels not in LABELS:
        raise JaxstyleError(f"labels {labels!r} are unknown; {did_you_mean(labels, LABELS)}")
    run = open_run(workdir, checkpoint)
    space = suited(open_space(features), run.info) if features else None
    evaluation, state = reopened(run, split, iwae_samples, data)
    own, generative = chosen_metrics(metrics, evaluation, state, run, space)
    translates = isinstance(run.task, Translates)
    if generative and space and not translates:
        check_shapes(run, space, run.info.spec["image"].shape)
        chosen = choose_labels(run, evaluation, labels, count, seed)
    scores = evaluation.scores(state) if own else {}
    plain = {name: as_plain(scores[name]) for name in own}
    classes = run.config.data.mask_classes or run.info.classes
    report = Report(os.fspath(workdir), int(run.state.step), plain, {}, classes=classes)
    if translates and generative:
        number = min(count, evaluation.count)
        made = translations.scores(run, evaluation, space, number) if space else {}
        made |= translations.kept(run, evaluation, number) if set(translations.KEPT) & set(generative) else {}
        kept = {name: value for name, value in made.items() if name in generative}
        return report._replace(generative=kept, features=space.name if space else "", real=number, drawn=number)
    if not generative or not space:
        return report
    drawn = sample_features(run, space, count, seed, chosen)
    real = real_features(evaluation, space, drawn_places(count, evaluation.count))
    found: dict[str, Any] = {}
    for measure in dict.fromkeys(GENERATIVE[name] for name in generative):
        found |= measure(real, drawn)
    kept = {name: value for name, value in found.items() if PARTS.get(name, name) in generative}
    return report._replace(
        generative=kept, features=space.name, fid=space.fid, real=len(real.features), drawn=len(drawn.features)
    )


def reopened(
    run: Run, split: str = "", iwae_samples: int = 0, data: str | os.PathLike | None = None
) -> tuple[Evaluation, TrainState]:
    """A run's evaluation and its state, on as many of this machine's devices as can share its batches.

    Raises:
      JaxstyleError: The task has no importance weighted bound, or not of so many samples; the data are not there, or
        have other classes.
    """
    devices = jax.local_devices()[: math.gcd(len(jax.local_devices()), run.config.batch_size)]
    config, task = run.config, run.task
    if iwae_samples:
        if not hasattr(config, "iwae_samples"):
            raise JaxstyleError(f"the task {config.task!r} has no importance weighted bound: leave iwae_samples out")
        config = override(config, {"iwae_samples": iwae_samples})
        module = load_task(config.task)
        module.check(config)
        task = module.make(config, run.info)
    split = split or config.data.eval_split
    place = config_file.moved_data(config.data, data)
    dataset = leader_first(lambda: open_split(place, split, run.folder, tuple(run.info.spec)))
    if dataset.domains and config.data.pairs != "none" and not dataset.paired:
        raise JaxstyleError(
            f"the pictures of {split!r} are no pairs, with which this run is scored: give another split"
        )
    same_data.check(run.folder, run.info, fingerprints(split, dataset))
    evaluation = Evaluation(task, config, run.info, dataset, devices)
    return evaluation, on_all(run.state.with_fixed(fixed_of(task)), devices)


def chosen_metrics(
    metrics: Sequence[str], evaluation: Evaluation, state: TrainState, run: Run, space: FeatureSpace | None
) -> tuple[list[str], list[str]]:
    """Divides the wanted metrics into the task's own and those of samples.

    Raises:
      JaxstyleError: One that is neither, or that cannot be had here.
    """
    own = evaluation.metrics(state)
    if isinstance(run.task, Translates):
        return translations.chosen_metrics(metrics, own, space, translations.redrawn(evaluation))
    draws = isinstance(run.task, Samples)
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
            "'label' compares the label asked for with the predicted one: it needs a conditional model, and --features "
            "with a classifier of the same classes"
        )
    return rest, generative


def checks_labels(space: FeatureSpace | None, run: Run) -> bool:
    """True where a feature space has probabilities of the classes on which a run's model is conditioned."""
    return bool(space and space.classes == run.info.classes and classifies(space, run) and takes_labels(run))


def classifies(space: FeatureSpace | None, run: Run) -> bool:
    """True where a feature space gives probabilities."""
    if space is None:
        return False
    shape = (1, *(space.shape or run.info.spec["image"].shape))
    _, probabilities = jax.eval_shape(space.extract, space.params, jax.ShapeDtypeStruct(shape, np.float32))
    return probabilities is not None


def check_shapes(run: Run, space: FeatureSpace, real: tuple[int, ...]) -> None:
    """Raises `JaxstyleError` where samples, real pictures and the feature space are of different sizes."""
    drawn = picture_shape(run)
    for name, shape in (("real pictures", real), (space.name, space.shape or drawn)):
        if shape != drawn:
            raise JaxstyleError(f"samples are {shape_text(drawn)}, {name} {shape_text(shape)}: they cannot be compared")


def choose_labels(run: Run, evaluation: Evaluation, labels: str, count: int, seed: int) -> np.ndarray | None:
    """Chooses the labels `[count]` of a conditional model's samples, see `evaluate`; None for another model.

    Raises:
      JaxstyleError: No example has a label, or another model is asked for `"even"`.
    """
    if labels == EVEN:
        picture_shape(run, labelled=True)
        return np.arange(count) % len(run.info.classes)
    if not takes_labels(run):
        return None
    return drawn_labels(evaluation.dataset.class_counts(), count, seed)


def as_plain(value: Any) -> Any:
    """A number or a list of numbers, for JSON."""
    return np.asarray(value, np.float64).tolist()
