"""Distillation of VGG-19 into a small network: its features, through a linear map and a ReLU, become VGG's."""

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
from jaxstyle.runtime.settings import named
from jaxstyle.tasks.common import descend, scaled
from jaxstyle.training import step
from jaxstyle.training.config import TrainingConfig, at_least
from jaxstyle.training.optimizers import Optimizer, make_optimizer
from jaxstyle.training.state import TrainState
from jaxstyle.training.task import Batch, Metrics, RunInfo

Activations = dict[str, jax.Array]
"""Layer -> `[N, H, W, C]`."""

STRIDES = {"relu1_1": 4, "relu2_1": 2}
"""Strides at which training compares these layers' positions: there are plenty, much alike, and at full width they cost
as much as the student's own convolutions (measured: a sixth of the step)."""


@dataclasses.dataclass(frozen=True)
class ModelConfig:
    """The student, its teachers, and the layers that it learns."""

    teacher: str = "vgg19"  # by name or path; it may end early
    deep_teacher: str = ""  # a distilled VGG-19 with maps to full width, for the layers that it lacks
    widths: tuple[tuple[int, ...], ...] = ((16, 24), (48, 48), (96, 64, 64, 64), (128, 128, 128, 128), (128,))
    layers: tuple[str, ...] = ("relu1_1", "relu2_1", "relu3_1", "relu4_1", "relu5_1")
    layer_weights: tuple[float, ...] = (8.0, 6.0, 3.0, 1.0, 1.0)
    moments: float = 0.0  # weight of the Gram matrices' error against the activations'
    view: int = 96  # pixels, the side of the crops that the student is shown


@dataclasses.dataclass(frozen=True)
class Config(TrainingConfig):
    """The fields of a distillation."""

    task: str = "jaxstyle.tasks.distill"
    model: ModelConfig = dataclasses.field(default_factory=ModelConfig)


def check(config: Config) -> None:
    """Raises `JaxstyleError` for a number that cannot be."""
    at_least(config, {"model.moments": 0, "model.view": 1})
    layers, weights = len(config.model.layers), len(config.model.layer_weights)
    if not layers or layers != weights:
        raise JaxstyleError(f"{named('model.layer_weights')} has {weights} numbers for {layers} layers; give one each")


def fields(config: Config) -> tuple[str, ...]:
    """Names of the example's fields that the task wants."""
    return ("image",)


def make(config: Config, info: RunInfo) -> Distill:
    """Makes the task; raises `JaxstyleError` where a teacher cannot be had or lacks a layer."""
    model = config.model
    teachers = open_teachers(model.teacher, model.deep_teacher, model.layers)
    return Distill(
        student=VGG(model.widths, remat=config.remat),
        teachers=teachers,
        scales=root_mean_squares(teachers),
        optimizer=make_optimizer(config.optimizer, info.extent, info.steps, config.ema_decay),
        weights=dict(zip(model.layers, model.layer_weights, strict=True)),
        moments=model.moments,
        view=model.view,
    )


@dataclasses.dataclass(frozen=True)
class Teacher:
    """A fixed network whose activations the student learns.

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

    def targets(self, params: Any, images: jax.Array) -> Activations:
        """The activations that its layers have at full width, after the ReLU, for images `[N, H, W, 3]` in [0, 1]."""
        found = activations(self.features.network, params["network"], images, self.layers)
        found = projected(params["heads"], found) if self.heads else found
        return {layer: jax.nn.relu(x) for layer, x in found.items()}


def activations(network: Any, params: Any, images: jax.Array, layers: tuple[str, ...]) -> Activations:
    """A network's activations at some layers for images `[N, H, W, 3]` in [0, 1]."""
    return network.apply({"params": params}, images, layers)[1]


def projected(heads: Mapping[str, Any], found: Activations) -> Activations:
    """Activations through one linear map a position, `[N, H, W, C]` to `[N, H, W, wide]`; a ReLU is to follow."""
    return {layer: x @ heads[layer]["kernel"] + heads[layer]["bias"].reshape(1, 1, 1, -1) for layer, x in found.items()}


def subsampled(found: Activations, strides: Mapping[str, int]) -> Activations:
    """Every so-many-th position of some layers, all of the others."""
    cuts = {layer: slice(strides.get(layer, 1) // 2, None, strides.get(layer, 1)) for layer in found}
    return {layer: x[:, cuts[layer], cuts[layer]] for layer, x in found.items()}


def open_teachers(name: str, deep: str, layers: tuple[str, ...]) -> tuple[Teacher, ...]:
    """Opens the teacher, and where it ends early a distilled one for the layers that it lacks.

    Args:
      name: VGG-19 by name or path; it may end early.
      deep: Path of a distilled VGG-19 with heads (`conv41_aux`, …), or "".
      layers: All that the student learns.

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
            f"give a whole VGG-19 ({named('model.teacher')}=vgg19), "
            f"or a distilled one too ({named('model.deep_teacher')})"
        )
    if rest:
        teachers.append(Teacher(load(deep, padding="reflect"), rest, read_heads(deep, rest)))
    for teacher in teachers:
        teacher.features.check(teacher.layers)
    return tuple(teachers)


def read_heads(path: str, layers: tuple[str, ...]) -> dict[str, Any]:
    """Reads the maps to full width in a file of MingSun-Tse/Collaborative-Distillation; see `Teacher.heads`.

    Raises:
      JaxstyleError: It has none for one of the layers.
    """
    tensors, _ = read_tensors(resolve(path))
    heads = {}
    for layer in layers:
        name = f"{layer.replace('relu', 'conv').replace('_', '')}_aux"
        if f"{name}.weight" not in tensors:
            raise JaxstyleError(f"{path}: has no map {name!r} from {layer} to VGG's full width")
        heads[layer] = {"kernel": tensors[f"{name}.weight"][:, :, 0, 0].T, "bias": tensors[f"{name}.bias"]}
    return heads


def root_mean_squares(teachers: tuple[Teacher, ...]) -> dict[str, np.ndarray]:
    """The root mean square of the teachers' activations in the example pictures, layer by layer."""
    pictures = np.stack([example(name, 256) for name in EXAMPLES])
    scales: dict[str, np.ndarray] = {}
    for teacher in teachers:
        found = jax.jit(teacher.targets)(teacher.params, pictures)
        scales |= {layer: np.sqrt(np.mean(np.square(x))) for layer, x in jax.device_get(found).items()}
    return scales


@dataclasses.dataclass(frozen=True)
class Distill:
    """Pure functions of a distillation.

    Attributes:
      student: The network that is trained.
      teachers: Those whose activations are its targets.
      scales: Divisors of each layer's targets, their root mean square.
      optimizer: Of the student and of its maps to full width.
      weights: Of each layer's error.
      moments: Weight of the moments' error against the activations'.
      view: Side in pixels of the crops that training compares.
    """

    student: VGG
    teachers: tuple[Teacher, ...]
    scales: Mapping[str, np.ndarray]
    optimizer: Optimizer
    weights: Mapping[str, float]
    moments: float
    view: int

    def fixed(self) -> list[Any]:
        """The teachers' arrays."""
        return [teacher.params for teacher in self.teachers]

    def init(self, key: jax.Array) -> TrainState:
        """The state before the first step."""
        network_key, head_key = jax.random.split(key)
        layers = tuple(self.weights)
        blank = jnp.zeros((1, 32, 32, 3))
        network = self.student.init(network_key, blank, layers)["params"]
        network["preprocess"] = {"kernel": 4.0 * jnp.eye(3), "bias": jnp.full(3, -2.0)}  # [0, 1] to about unit size
        narrow = jax.eval_shape(lambda: activations(self.student, network, blank, layers))
        wide = jax.eval_shape(lambda: self.targets(self.fixed(), blank))
        heads = {}
        for layer, layer_key in zip(layers, jax.random.split(head_key, len(layers)), strict=True):
            shape = (narrow[layer].shape[-1], wide[layer].shape[-1])
            heads[layer] = {"kernel": jax.nn.initializers.he_normal()(layer_key, shape), "bias": jnp.zeros(shape[1])}
        return self.optimizer.start({"network": network, "heads": heads})

    def targets(self, fixed: Any, images: jax.Array) -> Activations:
        """All teachers' targets for images `[N, H, W, 3]` in [0, 1]."""
        found: Activations = {}
        for teacher, params in zip(self.teachers, fixed, strict=True):
            found.update(teacher.targets(params, images))
        return found

    def compare(
        self, params: Any, fixed: Any, images: jax.Array, strides: Mapping[str, int] = {}
    ) -> dict[str, tuple[jax.Array, jax.Array]]:
        """The student's activations at full width before the ReLU, and the teachers' after it over their scale."""
        found = activations(self.student, params["network"], images, tuple(self.weights))
        targets = subsampled(self.targets(fixed, images), strides)
        predicted = projected(params["heads"], subsampled(found, strides))
        return {layer: (predicted[layer], targets[layer] / self.scales[layer]) for layer in predicted}

    def train_step(self, state: TrainState, batch: Batch, key: jax.Array) -> tuple[TrainState, Metrics]:
        """One step on one device's `image` `[N, S, S, 3]` uint8."""
        pictures = scaled(batch["image"])
        keys = step.example_keys(jax.random.fold_in(key, state.step), len(pictures))
        views = jax.vmap(lambda key, picture: random_view(key, picture, self.view))(keys, pictures)

        def terms(params: Any) -> tuple[Metrics, Any]:
            total, errors = jnp.float32(0), {}
            for layer, (predicted, target) in self.compare(params, state.fixed, views, STRIDES).items():
                errors[layer] = jnp.mean(activation_error(predicted, target))
                total += self.weights[layer] * errors[layer]
                if self.moments:
                    bias = moment_error(moments(jax.nn.relu(predicted)), moments(target))
                    total += self.moments * self.weights[layer] * jnp.mean(bias)
            return {"loss": total, **errors}, {}

        return descend(self.optimizer, state, terms)

    def eval_step(self, state: TrainState, batch: Batch, keys: jax.Array) -> Metrics:
        """The cosine between student and teacher of every picture and layer, each `[N]`; `loss` is 1 - their mean."""
        pairs = self.compare(state.best_params, state.fixed, scaled(batch["image"]))
        cosines = {layer: cosine(jax.nn.relu(predicted), target) for layer, (predicted, target) in pairs.items()}
        return {**cosines, "loss": 1 - jnp.mean(jnp.stack(list(cosines.values())), 0)}

    def pictures(self, state: TrainState, batch: Batch, key: jax.Array) -> dict[str, jax.Array]:
        """Random views such as training compares."""
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
