"""GANs of a small config for tests: made without data, and stepped once on one device."""

import jax
import numpy as np

from jaxstyle.tasks import gan
from jaxstyle.training.config import override, typed
from jaxstyle.training.durations import Extent
from jaxstyle.training.run_info import RunInfo


def changed(config, **changes):
    """The config with another model."""
    return override(config, {f"model.{name}": value for name, value in changes.items()})


def made(config, classes=tuple("abcdefghij"), shape=(16, 16, 3)):
    """The task, without data."""
    config = typed(gan.Config, config)
    gan.check(config)
    spec = {"image": jax.ShapeDtypeStruct(shape, np.uint8), "label": jax.ShapeDtypeStruct((), np.int32)}
    return gan.make(config, RunInfo(Extent(512, config.batch_size), 10, spec, classes))


IMAGES = np.random.default_rng(0).integers(0, 256, (16, 16, 16, 3), np.uint8)


def stepped(config, change=lambda state: state):
    """The task, its first state once changed, the state after one step on one device, and its metrics."""
    task = made(config)
    first = change(jax.jit(task.init)(jax.random.key(0)))
    step = jax.pmap(task.train_step, "batch", in_axes=(None, 0, None), out_axes=None, devices=jax.devices()[:1])
    state, metrics = step(first, {"image": IMAGES[None]}, jax.random.key(1))
    return task, first, state, metrics


def alone(function, *arguments):
    """A function of the devices' axis, outside of a step."""
    return jax.tree.map(lambda leaf: leaf[0], jax.vmap(lambda _: function(*arguments), axis_name="batch")(np.zeros(1)))


def distance(a, b):
    """The largest difference of two pytrees' numbers."""
    return max(float(np.abs(x - y).max()) for x, y in zip(jax.tree.leaves(a), jax.tree.leaves(b), strict=True))
