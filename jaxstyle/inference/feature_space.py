"""Feature spaces in which generated pictures are compared with real ones; scores of different spaces do not compare."""

from __future__ import annotations

import itertools
import os
from collections.abc import Callable
from typing import Any, NamedTuple, cast

import jax
import jax.numpy as jnp
import numpy as np

from jaxstyle.errors import JaxstyleError
from jaxstyle.features import InceptionV3, load
from jaxstyle.features.inception import fid_preprocess
from jaxstyle.inference import digits
from jaxstyle.inference.run import open_run
from jaxstyle.training.config_file import absolute
from jaxstyle.training.run_info import RunInfo
from jaxstyle.training.task import Classifies

Extract = Callable[[Any, jax.Array], tuple[jax.Array, jax.Array | None]]


class FeatureSpace(NamedTuple):
    """A feature extractor by which pictures are scored.

    Attributes:
      name: For every report.
      fid: Whether it is the one of FID: the whole Inception-v3 of 2015, to its last pool.
      extract: `(params, pictures [N, H, W, C] in [0, 1]) -> features [N, D], probabilities [N, classes] or None`.
      params: Pytree for `extract`.
      shape: `(H, W, C)` that pictures must have; None where any will do.
      classes: Of a classifier's probabilities.
    """

    name: str
    fid: bool
    extract: Extract
    params: Any
    shape: tuple[int, ...] | None = None
    classes: tuple[str, ...] = ()


def open_space(features: str | os.PathLike) -> FeatureSpace:
    """Opens the feature space of a classifier's workdir, of the shipped `"digits"`, or of Inception-v3 by name or file.

    Raises:
      JaxstyleError: It is none of these.
    """
    folder = absolute(features)
    if (folder / "config.json").exists():
        return classifier_space(folder)
    return digits_space() if os.fspath(features) == digits.NAME else inception_space(features)


def digits_space() -> FeatureSpace:
    """The last hidden layer of the classifier of digits that the package ships."""

    def extract(params: Any, pictures: jax.Array) -> tuple[jax.Array, jax.Array]:
        logits, features = cast(tuple[jax.Array, jax.Array], digits.NETWORK.apply({"params": params}, pictures))
        return features, jax.nn.softmax(logits)

    name = "the shipped classifier of digits"
    return FeatureSpace(name, False, extract, digits.load_params(), digits.SHAPE, digits.CLASSES)


def suited(space: FeatureSpace, info: RunInfo) -> FeatureSpace:
    """The same space or, where a run's pictures are stacks of what it classifies, that of all channels together.

    A stack's features are those of its channels one after another, and its classes all combinations of theirs: of
    digits in three channels, `000` to `999`.
    """
    *sides, channels = info.spec["image"].shape
    names = tuple(map("".join, itertools.product(space.classes, repeat=channels)))
    if space.shape != (*sides, 1) or channels == 1 or names != info.classes:
        return space

    def extract(params: Any, pictures: jax.Array) -> tuple[jax.Array, jax.Array]:
        each: Any = [space.extract(params, part) for part in jnp.split(pictures, channels, -1)]
        probabilities = each[0][1]
        for _, others in each[1:]:
            probabilities = (probabilities[:, :, None] * others[:, None]).reshape(len(others), -1)
        return jnp.concatenate([features for features, _ in each], -1), probabilities

    return FeatureSpace(f"{space.name}, of each channel", False, extract, space.params, (*sides, channels), names)


def classifier_space(workdir: str | os.PathLike) -> FeatureSpace:
    """The last hidden layer of a trained classifier, at its newest checkpoint."""
    run = open_run(workdir)
    if not isinstance(run.task, Classifies):
        raise JaxstyleError(f"the task {run.config.task!r} is no classifier; give a classifier's workdir")

    def extract(state: Any, pictures: jax.Array) -> tuple[jax.Array, jax.Array]:
        features, logits = run.task.features(state, pictures)
        return features, jax.nn.softmax(logits)

    name = f"classifier {os.fspath(workdir)} at step {int(run.state.step)}"
    return FeatureSpace(name, False, extract, run.state, run.info.spec["image"].shape, run.info.classes)


def inception_space(name_or_path: str | os.PathLike) -> FeatureSpace:
    """Inception-v3's last pool; of a file that ends early, the mean over positions of its last block."""
    features = load(name_or_path, padding="zeros")
    network = features.network
    if not isinstance(network, InceptionV3):
        raise JaxstyleError(f"{features.name!r} measures no pictures; give Inception-v3 or a classifier's workdir")
    whole, classifies = "pool_3" in network.taps, "logits" in network.taps
    tap = "pool_3" if whole else network.taps[-1]

    def extract(params: Any, pictures: jax.Array) -> tuple[jax.Array, jax.Array | None]:
        wanted = (tap, "logits") if classifies else (tap,)
        _, activations = network.apply({"params": params}, fid_preprocess(pictures), wanted)
        found = activations[tap] if whole else activations[tap].mean((1, 2))
        return found, jax.nn.softmax(activations["logits"]) if classifies else None

    name = f"Inception-v3 {features.name}, {tap}" + ("" if whole else " averaged over positions")
    return FeatureSpace(name, whole and network.max_at_end, extract, features.params)


def eight_bits(pictures: jax.Array) -> jax.Array:
    """Pictures in [0, 1] rounded to 8 bits, as real ones come from files: scores must not depend on the difference."""
    return jax.numpy.round(pictures * np.float32(255)) / np.float32(255)
