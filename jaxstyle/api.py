"""jaxstyle from Python: a picture stylised or dreamt on, a texture synthesised, a network looked into, in one call."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import numpy as np
import optax

from jaxstyle.features import Features, load
from jaxstyle.jobs import callbacks
from jaxstyle.media.image_reading import PictureLike, read_mask, read_picture
from jaxstyle.media.image_resizing import check_size
from jaxstyle.pixels import dream as dreams
from jaxstyle.pixels import texture
from jaxstyle.pixels import visualize as visualization
from jaxstyle.pixels.config import INITS, StyleTransferConfig, TextureConfig
from jaxstyle.pixels.dream_config import DreamConfig
from jaxstyle.pixels.inputs import Inputs
from jaxstyle.pixels.loop import Job, Report, Watcher, optimize
from jaxstyle.pixels.objectives import Objective
from jaxstyle.pixels.stylize import finish, prepare
from jaxstyle.pixels.visualize import VisualizationConfig
from jaxstyle.runtime.interrupts import interruptible
from jaxstyle.runtime.sharding import choose_devices


class Stylized(NamedTuple):
    """What `stylize` and `synthesize_texture` return.

    Attributes:
      picture: float32 `[H, W, 3]`, sRGB in [0, 1].
      history: One dict a step: `scale`, `iteration`, `seconds`, `loss` and every weighted term of it.
    """

    picture: np.ndarray
    history: list[dict[str, Any]]


def stylize(
    content: PictureLike,
    styles: PictureLike | Sequence[PictureLike],
    *,
    config: StyleTransferConfig | None = None,
    features: Features | None = None,
    content_masks: Sequence[PictureLike] = (),
    style_masks: Sequence[PictureLike] = (),
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
        content_masks=[read_mask(mask) for mask in content_masks],
        style_masks=[read_mask(mask) for mask in style_masks],
        start=None if config.init in INITS else read(config.init, "init"),
    )
    if features is None:
        features = load(config.features, pooling=config.pooling, padding=config.padding)
    if optimizer is not None and config.learning_rate is None:
        config = dataclasses.replace(config, learning_rate=1.0)
    made = run(prepare(config, features, inputs, optimizer=optimizer), config.devices, callback)
    return made._replace(picture=finish(config, made.picture, inputs.contents[0]))


def synthesize_texture(
    styles: PictureLike | Sequence[PictureLike],
    *,
    config: TextureConfig | None = None,
    features: Features | None = None,
    optimizer: optax.GradientTransformation | None = None,
    callback: Callable[[Report], None] | None = None,
) -> Stylized:
    """Synthesises a texture that looks like one picture, or like a mixture of several.

    Ctrl-C (or a notebook's stop button) ends it early with the texture so far.

    Args:
      styles: The exemplar: a path, a PIL image, or floats `[h, w, 3]` in [0, 1]; or several, which
        `config.style_weights` blends.
      config: The settings; `TextureConfig(size="640x480", tileable=True)` changes some.
      features: The network that looks, already loaded; None loads `config.features`.
      optimizer: As for `stylize`.
      callback: As for `stylize`.

    Returns:
      The texture `[H, W, 3]` and the history of its losses.

    Raises:
      JaxstyleError: An input that cannot be, told in one sentence; or a loss that is no longer finite.
    """
    config = TextureConfig() if config is None else config
    config.check()
    sources: Any = styles if isinstance(styles, (list, tuple)) else [styles]
    exemplars = [read(style, "style") for style in sources]
    if features is None:
        features = load(config.features, pooling=config.pooling)
    if optimizer is not None and config.learning_rate is None:
        config = dataclasses.replace(config, learning_rate=1.0)
    made = run(texture.prepare(config, features, exemplars, optimizer), config.devices, callback)
    return made._replace(picture=texture.finish(config, made.picture))


def dream(
    picture: PictureLike,
    *,
    config: DreamConfig | None = None,
    features: Features | None = None,
    guide: PictureLike | None = None,
    mask: PictureLike | None = None,
    objective: Objective | None = None,
    callback: Callable[[Report], None] | None = None,
) -> Stylized:
    """Dreams on a picture: DeepDream.

    Ctrl-C (or a notebook's stop button) ends it early with the picture so far.

    Args:
      picture: The photo: a path, a PIL image, or floats `[H, W, 3]` in [0, 1].
      config: The settings; `DreamConfig(layers=("relu4_1",))` changes some. Of `frames` the first is made.
      features: The network that dreams, already loaded; None loads `config.features`.
      guide: A picture of whose features to dream; None takes `config.guide`.
      mask: `[H, W]` in [0, 1] or a path, where to dream; None takes `config.mask`.
      objective: Any objective of `jaxstyle.pixels.objectives`, instead of the config's layers and channels.
      callback: As for `stylize`.

    Returns:
      The picture and the history of its losses; the terms rise, and the loss is minus their sum.

    Raises:
      JaxstyleError: An input that cannot be, told in one sentence; or a loss that is no longer finite.
    """
    config = DreamConfig() if config is None else config
    config.check()
    photo = read(picture, "picture")
    guide, mask = config.guide if guide is None else guide, config.mask if mask is None else mask
    shown = None if guide is None else read(guide, "guide")
    share = None if mask is None else read_mask(mask)
    features = load(config.features) if features is None else features
    made = run(dreams.prepare(config, features, photo, shown, share, objective), config.devices, callback)
    return made._replace(picture=dreams.finish(config, made.picture, photo, share))


class Visualized(NamedTuple):
    """What `visualize` returns.

    Attributes:
      pictures: float32 `[N, H, W, 3]`, sRGB in [0, 1], one an objective (`[N, facets, H, W, 3]` with several facets).
      history: One dict a step, as of `stylize`, with a list of N values for every term.
    """

    pictures: np.ndarray
    history: list[dict[str, Any]]


def visualize(
    objectives: Objective | Sequence[Objective] | None = None,
    *,
    config: VisualizationConfig | None = None,
    features: Features | None = None,
    callback: Callable[[Report], None] | None = None,
) -> Visualized:
    """Paints what channels of a network respond to most, all in one compiled program.

    Args:
      objectives: What to increase, one a picture; all of one structure, such as
        `[channel("relu4_1", i) for i in range(64)]`. None takes `config.layer` and `config.channels`.
      config: The settings; `VisualizationConfig(layer="relu3_1", channels="0:8")` changes some.
      features: The network to look into, already loaded; None loads `config.features`.
      callback: As for `stylize`.

    Returns:
      The pictures and the history of their losses.

    Raises:
      JaxstyleError: An input that cannot be, told in one sentence; or a loss that is no longer finite.
    """
    config = VisualizationConfig() if config is None else config
    config.check()
    features = load(config.features) if features is None else features
    if objectives is None:
        objectives = visualization.channel_objectives(config, visualization.check_layer(config, features))
    wanted = [objectives] if isinstance(objectives, Objective) else list(objectives)
    outcome, history = run_all(visualization.prepare(config, features, wanted), config.devices, callback)
    return Visualized(outcome, history)


def run(job: Job, devices: int | None, callback: Callable[[Report], None] | None) -> Stylized:
    """The one picture of a job as it comes out of the loop, and its history."""
    pictures, history = run_all(job, devices, callback)
    return Stylized(pictures[0], history)


def run_all(
    job: Job, devices: int | None, callback: Callable[[Report], None] | None
) -> tuple[np.ndarray, list[dict[str, Any]]]:
    """The pictures of a job as they come out of the loop, and their history."""
    history = callbacks.History()
    watching: list[Watcher] = [history] if callback is None else [history, callback]
    with interruptible() as stop:
        outcome = optimize(*job, choose_devices(devices), watchers=watching, stop=stop)
    return outcome.pictures, list(history)


def read(source: PictureLike, name: str) -> np.ndarray:
    """A picture's colours, if it is large enough."""
    rgb = read_picture(source).rgb
    height, width = rgb.shape[:2]
    check_size(height, width, name)
    return rgb
