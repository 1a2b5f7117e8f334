"""jaxstyle from Python: a picture stylised in one call."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
import optax

from jaxstyle import images
from jaxstyle.features import Features, load
from jaxstyle.images import Source
from jaxstyle.interrupts import interruptible
from jaxstyle.pixels import watchers
from jaxstyle.pixels.config import INITS, StyleTransferConfig
from jaxstyle.pixels.inputs import Inputs
from jaxstyle.pixels.loop import Report, Watcher, optimize
from jaxstyle.pixels.spread import choose_devices
from jaxstyle.pixels.stylize import finish, prepare


class Stylized(NamedTuple):
    """What `stylize` returns.

    Attributes:
      picture: float32 `[H, W, 3]`, sRGB in [0, 1].
      history: One dict a step: `scale`, `iteration`, `seconds`, `loss` and every weighted term of it.
    """

    picture: np.ndarray
    history: list[dict[str, Any]]


def stylize(
    content: Source,
    styles: Source | Sequence[Source],
    *,
    config: StyleTransferConfig | None = None,
    features: Features | None = None,
    content_masks: Sequence[Source] = (),
    style_masks: Sequence[Source] = (),
    optimizer: optax.GradientTransformation | None = None,
    callback: Callable[[Report], None] | None = None,
) -> Stylized:
    """Paints the content of one picture in the style of others.

    Ctrl-C (or a notebook's stop button) ends it early with the picture so far.

    Args:
      content: The photo: a path, a PIL image, or floats `[H, W, 3]` in [0, 1].
      styles: The painting, or several; `config.style_weights` blends them.
      config: The settings; `dataclasses.replace(StyleTransferConfig(), size=256)` changes some.
      features: The network that looks, already loaded; None loads `config.features`.
      content_masks: One a style, `[H, W]` in [0, 1] or paths: where in the photo that style goes.
      style_masks: One a style: which part of that painting counts.
      optimizer: Any optax transformation of a picture, such as `optax.sgd(0.1)`, instead of `config.optimizer`.
        Its updates are multiplied by `config.learning_rate` where that is set.
      callback: Called a few times a second with the loop's `Report`; `report.pictures()[0]` is the picture so far.

    Returns:
      The picture and the history of its losses.

    Raises:
      JaxstyleError: An input that cannot be, told in one sentence; or a loss that is no longer finite.
    """
    config = StyleTransferConfig() if config is None else config
    config.check()
    sources: Any = styles if isinstance(styles, (list, tuple)) else [styles]
    inputs = Inputs(
        contents=[read(content, "content")],
        styles=[read(style, "style") for style in sources],
        content_masks=[images.read_mask(mask) for mask in content_masks],
        style_masks=[images.read_mask(mask) for mask in style_masks],
        start=None if config.init in INITS else read(config.init, "init"),
    )
    if features is None:
        features = load(config.features, pooling=config.pooling, padding=config.padding)
    if optimizer is not None and config.learning_rate is None:
        config = dataclasses.replace(config, learning_rate=1.0)
    job = prepare(config, features, inputs, optimizer=optimizer)
    history = watchers.History()
    watching: list[Watcher] = [history] if callback is None else [history, callback]
    with interruptible() as stop:
        devices = choose_devices(config.devices)
        outcome = optimize(job.problem, job.start, job.knobs, devices, watchers=watching, stop=stop)
    return Stylized(finish(config, outcome.pictures[0], inputs.contents[0]), list(history))


def read(source: Source, name: str) -> np.ndarray:
    """A picture's colours, if it is large enough."""
    rgb = images.read_picture(source).rgb
    height, width = rgb.shape[:2]
    images.check_size(height, width, name)
    return rgb
