"""Teaching a small network to see as VGG-19 sees: its features, through a linear map and ReLU, become VGG's."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np

from jaxstyle.data.views import random_view
from jaxstyle.errors import JaxstyleError
from jaxstyle.features import Features, Weights, load
from jaxstyle.features.vgg import VGG
from jaxstyle.features.weights.readers import read_tensors
from jaxstyle.features.weights.registry import resolve
from jaxstyle.losses.distillation import activation_error, cosine, moment_error
from jaxstyle.media.examples import EXAMPLES, example
from jaxstyle.ops.moments import moments
from jaxstyle.tasks.common import descend, scaled
from jaxstyle.training import step
from jaxstyle.training.optimizers import Optimizer, make_optimizer
from jaxstyle.training.state import TrainState
from jaxstyle.training.task import Batch, Metrics, Setting

Taps = dict[str, jax.Array]
STRIDES = {"relu1_1": 4, "relu2_1": 2}
"""Of these layers' positions one in so many along each side is compared in training: they are plenty and much alike,
and at full width they cost as much as the student's own convolutions (measured: a sixth of the step)."""


def fields(config: Any) -> tuple[str, ...]:
    """The fields of an example that this task wants."""
    return ("image",)


def make(config: Any, setting: Setting) -> Distill:
    """The task of a config; its own fields in `config.model` are told in `configs/distill_features.py`.

    Raises:
      JaxstyleError: A teacher cannot be had or lacks a layer, or an optimiser setting cannot be.
    """
    model = config.model
    weights = dict(zip(model.layers, model.layer_weights, strict=True))
    student = VGG(tuple(tuple(block) for block in model.widths), remat=config.remat)
    teachers = open_teachers(model.teacher, model.deep_teacher, tuple(weights))
    optimizer = make_optimizer(config.optimizer, setting.extent, setting.steps, config.ema_decay)
    return Distill(student, teachers, usual_sizes(teachers), optimizer, weights, model.moments, model.view)


@dataclasses.dataclass(frozen=True)
class Teacher:
    """A fixed network that some layers are learnt from.

    Attributes:
      features: The network and its parameters.
      layers: Those learnt from it.
      heads: Maps from the network's features to a wider network's, `{layer: {"kernel": [C, wide], "bias": [wide]}}`,
        as a distilled network has them; empty where the features are themselves the target.
    """

    features: Features
    layers: tuple[str, ...]
    heads: Mapping[str, Any]

    @property
    def params(self) -> dict[str, Any]:
        """All its arrays."""
        return {"network": self.features.params, "heads": dict(self.heads)}

    def look(self, params: Any, images: jax.Array) -> Taps:
        """What it sees in images `[N, H, W, 3]` in [0, 1]."""
        seen = taps(self.features.network, params["network"], images, self.layers)
        return {layer: jax.nn.relu(x) for layer, x in (widened(params["heads"], seen) if self.heads else seen).items()}


def taps(network: Any, params: Any, images: jax.Array, layers: tuple[str, ...]) -> Taps:
    """What a network sees in images `[N, H, W, 3]` in [0, 1]: layer -> `[N, h, w, C]`."""
    return network.apply({"params": params}, images, layers)[1]


def widened(heads: Mapping[str, Any], seen: Taps) -> Taps:
    """Features through one linear map a position, `[N, H, W, C]` to `[N, H, W, wide]`; a ReLU is to follow."""
    return {layer: x @ heads[layer]["kernel"] + heads[layer]["bias"].reshape(1, 1, 1, -1) for layer, x in seen.items()}


def thinned(seen: Taps, strides: Mapping[str, int]) -> Taps:
    """Every so-many-th position of some layers, all of the others."""
    cuts = {layer: slice(strides.get(layer, 1) // 2, None, strides.get(layer, 1)) for layer in seen}
    return {layer: x[:, cuts[layer], cuts[layer]] for layer, x in seen.items()}


def open_teachers(name: str, deep: str, layers: tuple[str, ...]) -> tuple[Teacher, ...]:
    """The network that teaches, and where it ends early a distilled one that teaches the layers it lacks.

    Args:
      name: VGG-19 by name or path; it may end early.
      deep: Path of a distilled VGG-19 with heads (`conv41_aux`, …), or "".
      layers: All that are to be learnt.

    Raises:
      JaxstyleError: Neither has a layer, or a file cannot be read.
    """
    first = load(name)
    own = tuple(layer for layer in layers if layer in first.network.taps)
    rest = tuple(layer for layer in layers if layer not in own)
    teachers = [Teacher(first, own, {})] if own else []
    if rest and not deep:
        raise JaxstyleError(
            f"the teacher {name!r} ends at {first.network.taps[-1]!r}, so {', '.join(rest)} cannot be learnt from it; "
            "give a whole VGG-19 (--config.model.teacher=vgg19) or a distilled one too (--config.model.deep_teacher)"
        )
    if rest:
        teachers.append(Teacher(load(deep, padding="reflect"), rest, read_heads(deep, rest)))
    for teacher in teachers:
        teacher.features.check(teacher.layers)
    return tuple(teachers)


def read_heads(path: str, layers: tuple[str, ...]) -> dict[str, Any]:
    """The maps to full width in a file of MingSun-Tse/Collaborative-Distillation, see `Teacher.heads`.

    Raises:
      JaxstyleError: It has none for one of the layers.
    """
    tensors, _ = read_tensors(resolve(path))
    heads = {}
    for layer in layers:
        name = f"model.{layer.replace('relu', 'conv').replace('_', '')}_aux"
        if f"{name}.weight" not in tensors:
            raise JaxstyleError(f"{path}: has no map {name!r} from {layer} to VGG's full width")
        heads[layer] = {"kernel": tensors[f"{name}.weight"][:, :, 0, 0].T, "bias": tensors[f"{name}.bias"]}
    return heads


def usual_sizes(teachers: tuple[Teacher, ...]) -> dict[str, np.ndarray]:
    """The root mean square of what the teachers see in the example pictures, layer by layer."""
    shown = np.stack([example(name, 256) for name in EXAMPLES])
    sizes: dict[str, np.ndarray] = {}
    for teacher in teachers:
        seen = jax.jit(teacher.look)(teacher.params, shown)
        sizes |= {layer: np.sqrt(np.mean(np.square(x))) for layer, x in jax.device_get(seen).items()}
    return sizes


@dataclasses.dataclass(frozen=True)
class Distill:
    """Pure functions of a distillation. The teachers' parameters lie in the state's `collections`, not in programs.

    Attributes:
      student: The network that is trained.
      teachers: Those whose features are its targets.
      sizes: What the targets of a layer are divided by.
      optimizer: Of the student and of its maps to full width.
      weights: Of each layer's error.
      moments: Weight of the moments' error against the activations'.
      view: Side in pixels of what is looked at in training.
    """

    student: VGG
    teachers: tuple[Teacher, ...]
    sizes: Mapping[str, np.ndarray]
    optimizer: Optimizer
    weights: Mapping[str, float]
    moments: float
    view: int

    def init(self, key: jax.Array) -> TrainState:
        """The state before the first step."""
        network_key, head_key = jax.random.split(key)
        layers = tuple(self.weights)
        blank = jnp.zeros((1, 32, 32, 3))
        network = self.student.init(network_key, blank, layers)["params"]
        network["preprocess"] = {"kernel": 4.0 * jnp.eye(3), "bias": jnp.full(3, -2.0)}  # [0, 1] to about unit size
        known = [teacher.params for teacher in self.teachers]
        narrow = jax.eval_shape(lambda: taps(self.student, network, blank, layers))
        wide = jax.eval_shape(lambda: self.targets(known, blank))
        heads = {}
        for layer, layer_key in zip(layers, jax.random.split(head_key, len(layers)), strict=True):
            shape = (narrow[layer].shape[-1], wide[layer].shape[-1])
            heads[layer] = {"kernel": jax.nn.initializers.he_normal()(layer_key, shape), "bias": jnp.zeros(shape[1])}
        collections = {"teachers": jax.tree.map(jnp.asarray, known)}
        return self.optimizer.start({"network": network, "heads": heads}, collections)

    def targets(self, params: Any, images: jax.Array) -> Taps:
        """What the teachers see: layer -> `[N, H, W, C]`."""
        seen: Taps = {}
        for teacher, arrays in zip(self.teachers, params, strict=True):
            seen.update(teacher.look(arrays, images))
        return seen

    def compare(
        self, params: Any, collections: Any, images: jax.Array, strides: Mapping[str, int] = {}
    ) -> dict[str, tuple[jax.Array, jax.Array]]:
        """The student's features at full width before ReLU, and the teachers' after it, in units of the usual size."""
        seen = taps(self.student, params["network"], images, tuple(self.weights))
        targets = thinned(self.targets(collections["teachers"], images), strides)
        predicted = widened(params["heads"], thinned(seen, strides))
        return {layer: (predicted[layer], targets[layer] / self.sizes[layer]) for layer in predicted}

    def train_step(self, state: TrainState, batch: Batch, key: jax.Array) -> tuple[TrainState, Metrics]:
        """One step on one device's `image` `[N, S, S, 3]` uint8."""
        pictures = scaled(batch["image"])
        keys = step.example_keys(jax.random.fold_in(key, state.step), len(pictures))
        views = jax.vmap(lambda key, picture: random_view(key, picture, self.view))(keys, pictures)

        def terms(params: Any) -> tuple[Metrics, Any]:
            total, errors = jnp.float32(0), {}
            for layer, (predicted, target) in self.compare(params, state.collections, views, STRIDES).items():
                errors[layer] = jnp.mean(activation_error(predicted, target))
                total += self.weights[layer] * errors[layer]
                if self.moments:
                    bias = moment_error(moments(jax.nn.relu(predicted)), moments(target))
                    total += self.moments * self.weights[layer] * jnp.mean(bias)
            return {"loss": total, **errors}, {}

        return descend(self.optimizer, state, terms)

    def eval_step(self, state: TrainState, batch: Batch, keys: jax.Array) -> Metrics:
        """The cosine between student and teacher of every picture and layer, each `[N]`; `loss` is 1 - their mean."""
        pairs = self.compare(state.best_params, state.collections, scaled(batch["image"]))
        cosines = {layer: cosine(jax.nn.relu(predicted), target) for layer, (predicted, target) in pairs.items()}
        return {**cosines, "loss": 1 - jnp.mean(jnp.stack(list(cosines.values())), 0)}

    def pictures(self, state: TrainState, batch: Batch, key: jax.Array) -> dict[str, jax.Array]:
        """Views as the student gets them."""
        pictures = scaled(batch["image"])
        keys = jax.random.split(key, len(pictures))
        return {"views": jax.vmap(lambda key, picture: random_view(key, picture, self.view))(keys, pictures)}


def student_weights(state: TrainState, metadata: Mapping[str, str]) -> Weights:
    """The student as features that a file can hold; its maps to full width are left behind.

    Args:
      state: Of a distillation.
      metadata: What to keep beside the weights.
    """
    network = jax.device_get(state.best_params["network"])
    tensors = {f"{layer}/{leaf}": np.asarray(x) for layer, leaves in network.items() for leaf, x in leaves.items()}
    return Weights("vgg19", tensors, metadata=dict(metadata))
