"""Scores of a trained run: its task's own evaluation, and its samples against the evaluation split's pictures."""

from __future__ import annotations

import math
import os
from collections.abc import Sequence
from typing import Any, NamedTuple

import jax
import numpy as np
from tqdm import tqdm

from jaxstyle.data.fingerprints import fingerprint
from jaxstyle.errors import JaxstyleError, did_you_mean
from jaxstyle.inference import sample
from jaxstyle.inference.feature_space import FeatureSpace, eight_bits, open_space
from jaxstyle.inference.run import Run, open_run
from jaxstyle.inference.sample_metrics import GENERATIVE, PARTS, FeatureSet, Measure, label_check, label_scores
from jaxstyle.runtime import compiling
from jaxstyle.training import config_file, same_data
from jaxstyle.training.config import override
from jaxstyle.training.devices import leader_first
from jaxstyle.training.evaluation import Evaluation, open_split
from jaxstyle.training.restoring import shape_text
from jaxstyle.training.state import TrainState
from jaxstyle.training.step import on_all
from jaxstyle.training.task import Samples, fixed_of, load_task

LABELS = ("shares", sample.EVEN)


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
      features: A classifier's workdir, or Inception-v3 by name or file; without it only the task's own are to be had.
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
    space = open_space(features) if features else None
    evaluation, state = reopened(run, split, iwae_samples, data)
    own, generative = chosen_metrics(metrics, evaluation.metrics(state), run, space)
    if generative and space:
        check_shapes(run, space, run.info.spec["image"].shape)
        chosen = choose_labels(run, evaluation, labels, count, seed)
    scores = evaluation.scores(state) if own else {}
    plain = {name: as_plain(scores[name]) for name in own}
    classes = run.config.data.mask_classes or run.info.classes
    report = Report(os.fspath(workdir), int(run.state.step), plain, {}, classes=classes)
    if not generative or not space:
        return report
    drawn = sample_features(run, space, count, seed, chosen)
    real = real_features(evaluation, space, min(count, evaluation.count))
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
    same_data.check(run.folder, run.info, {split: fingerprint(dataset)})
    evaluation = Evaluation(task, config, run.info, dataset, devices)
    return evaluation, on_all(run.state.with_fixed(fixed_of(task)), devices)


def chosen_metrics(
    metrics: Sequence[str], own: Sequence[str], run: Run, space: FeatureSpace | None
) -> tuple[list[str], list[str]]:
    """Divides the wanted metrics into the task's own and those of samples.

    Raises:
      JaxstyleError: One that is neither, or that cannot be had here.
    """
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
    return bool(space and space.classes == run.info.classes and classifies(space, run) and sample.takes_labels(run))


def classifies(space: FeatureSpace | None, run: Run) -> bool:
    """True where a feature space gives probabilities."""
    if space is None:
        return False
    shape = (1, *(space.shape or run.info.spec["image"].shape))
    _, probabilities = jax.eval_shape(space.extract, space.params, jax.ShapeDtypeStruct(shape, np.float32))
    return probabilities is not None


def check_shapes(run: Run, space: FeatureSpace, real: tuple[int, ...]) -> None:
    """Raises `JaxstyleError` where samples, real pictures and the feature space are of different sizes."""
    drawn = sample.picture_shape(run)
    for name, shape in (("real pictures", real), (space.name, space.shape or drawn)):
        if shape != drawn:
            raise JaxstyleError(f"samples are {shape_text(drawn)}, {name} {shape_text(shape)}: they cannot be compared")


def choose_labels(run: Run, evaluation: Evaluation, labels: str, count: int, seed: int) -> np.ndarray | None:
    """Chooses the labels `[count]` of a conditional model's samples, see `evaluate`; None for another model.

    Raises:
      JaxstyleError: No example has a label, or another model is asked for `"even"`.
    """
    if labels == sample.EVEN:
        sample.picture_shape(run, labelled=True)
        return np.arange(count) % len(run.info.classes)
    if not sample.takes_labels(run):
        return None
    return sample.drawn_labels(evaluation.dataset.class_counts(), count, seed)


def sample_features(
    run: Run, space: FeatureSpace, count: int, seed: int, labels: np.ndarray | None = None
) -> FeatureSet:
    """The features of newly drawn samples; the pictures stay on the devices."""

    def extract(params: Any, pictures: jax.Array) -> FeatureSet:
        return FeatureSet(*space.extract(params, eight_bits(pictures)))

    parts = sample.chunks(run, count, labels=labels, seed=seed, transform=extract, params=space.params)
    return joined(parts, count, "samples")._replace(labels=labels)


def real_features(evaluation: Evaluation, space: FeatureSpace, count: int) -> FeatureSet:
    """The features of pictures drawn from all of the evaluation split: it may be in the order of its classes."""
    chosen = np.sort(np.random.default_rng(0).permutation(evaluation.count)[:count])

    def extract(params: Any, images: jax.Array) -> FeatureSet:
        return FeatureSet(*space.extract(params, images.astype(np.float32) / 255))

    devices = evaluation.devices
    mapped = compiling.pmap(extract, in_axes=(None, 0), devices=devices)
    params = on_all(space.params, devices)

    def parts() -> Any:
        for start in range(0, count, sample.CHUNK * len(devices)):
            places = start + np.arange(sample.CHUNK * len(devices)).reshape(len(devices), -1)
            batch = evaluation.data(chosen[np.minimum(places, count - 1)])
            found = jax.device_get(mapped(params, batch["image"])._replace(labels=batch.get("label")))
            yield jax.tree.map(lambda leaf, left=count - start: leaf.reshape(-1, *leaf.shape[2:])[:left], found)

    return joined(parts(), count, "pictures")


def joined(parts: Any, count: int, name: str) -> FeatureSet:
    """All parts in one; a bar on a terminal counts their pictures."""
    collected = []
    with tqdm(total=count, unit=name, disable=None, leave=False) as bar:
        for part in parts:
            collected.append(part)
            bar.update(len(part.features))
    return jax.tree.map(lambda *leaves: np.concatenate(leaves), *collected)


def as_plain(value: Any) -> Any:
    """A number or a list of numbers, for JSON."""
    return np.asarray(value, np.float64).tolist()
