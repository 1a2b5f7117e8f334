"""The features of many pictures: newly drawn samples, and those of an evaluation split."""

from __future__ import annotations

from typing import Any

import jax
import numpy as np
from tqdm import tqdm

from jaxstyle.inference import sample
from jaxstyle.inference.feature_space import FeatureSpace, eight_bits
from jaxstyle.inference.run import Run
from jaxstyle.inference.sample_metrics import FeatureSet
from jaxstyle.runtime import compiling
from jaxstyle.training.evaluation import Evaluation
from jaxstyle.training.step import on_all


def sample_features(
    run: Run, space: FeatureSpace, count: int, seed: int, labels: np.ndarray | None = None
) -> FeatureSet:
    """The features of newly drawn samples; the pictures stay on the devices."""

    def extract(params: Any, pictures: jax.Array) -> FeatureSet:
        return FeatureSet(*space.extract(params, eight_bits(pictures)))

    parts = sample.chunks(run, count, labels=labels, seed=seed, transform=extract, params=space.params)
    return joined(parts, count, "samples")._replace(labels=labels)


def drawn_places(count: int, of: int) -> np.ndarray:
    """Draws `count` of so many places, rising: a split may be in the order of its classes."""
    return np.sort(np.random.default_rng(0).permutation(of)[:count])


def plain(params: Any, batch: Any) -> jax.Array:
    """The pictures of a batch in [0, 1]."""
    return batch["image"].astype(np.float32) / 255


def real_features(
    evaluation: Evaluation, space: FeatureSpace, chosen: np.ndarray, view: Any = plain, params: Any = None
) -> FeatureSet:
    """The features of pictures of the evaluation split.

    Args:
      evaluation: Of a run.
      space: In which.
      chosen: Places `[M]` of the pictures in the split.
      view: `(params, batch) -> pictures [N, H, W, C]` in [0, 1], of the fields of a batch.
      params: Pytree for `view`.
    """
    count = len(chosen)

    def extract(params: Any, batch: Any) -> FeatureSet:
        return FeatureSet(*space.extract(params[0], view(params[1], batch)))

    devices = evaluation.devices
    mapped = compiling.pmap(extract, in_axes=(None, 0), devices=devices)
    params = on_all((space.params, params), devices)

    def parts() -> Any:
        for start in range(0, count, sample.CHUNK * len(devices)):
            places = start + np.arange(sample.CHUNK * len(devices)).reshape(len(devices), -1)
            batch = evaluation.data(chosen[np.minimum(places, count - 1)])
            found = jax.device_get(mapped(params, batch)._replace(labels=batch.get("label")))
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
