"""The Python functions of pixel jobs: style transfer, texture synthesis, DeepDream and feature visualisation.

Every function takes settings as keywords (`size=256`), or a whole `config`, or both: then keywords count.
Ctrl-C (or a notebook's stop button) ends a call early with what is there so far.
"""

from __future__ import annotations

import dataclasses
import os
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import optax

from jaxstyle.errors import JaxstyleError, did_you_mean
from jaxstyle.features import Features
from jaxstyle.jobs import callbacks
from jaxstyle.jobs.files import Reader, read_inputs, singular
from jaxstyle.jobs.metadata import load_features
from jaxstyle.jobs.registry import JOBS
from jaxstyle.jobs.runner import batches
from jaxstyle.media.image_reading import PictureLike
from jaxstyle.pixels.dream import DreamConfig
from jaxstyle.pixels.job import PixelJob
from jaxstyle.pixels.loop import Callback, optimize
from jaxstyle.pixels.objectives import Objective
from jaxstyle.pixels.parametrizations import Parametrization
from jaxstyle.pixels.project import ProjectionConfig
from jaxstyle.pixels.stylize import StyleTransferConfig
from jaxstyle.pixels.texture import TextureConfig
from jaxstyle.pixels.visualize import VisualizationConfig
from jaxstyle.runtime.interrupts import interruptible
from jaxstyle.runtime.sharding import choose_devices


@dataclasses.dataclass(frozen=True)
class Result:
    """The result of every pixel job.

    Attributes:
      pictures: Float32 arrays `[H, W, 3]` (`[facets, H, W, 3]` of several facets), sRGB in [0, 1].
      found: Of `project` the latents of each picture, for `jaxstyle.sample`; else empty.
      history: One dict a step: `scale`, `iteration`, `seconds`, `loss` and every weighted term of it; of several
        pictures optimised together each number is a list.
    """

    pictures: list[np.ndarray]
    history: list[dict[str, Any]]
    found: list[Any] = dataclasses.field(default_factory=list)

    @property
    def picture(self) -> np.ndarray:
        """The first of `pictures`, float32 `[H, W, 3]`, sRGB in [0, 1]."""
        return self.pictures[0]


def stylize(
    content: PictureLike | Sequence[PictureLike],
    styles: PictureLike | Sequence[PictureLike],
    *,
    config: StyleTransferConfig | None = None,
    features: Features | str | os.PathLike[str] | None = None,
    content_masks: PictureLike | Sequence[PictureLike] = (),
    style_masks: PictureLike | Sequence[PictureLike] = (),
    optimizer: optax.GradientTransformation | str | None = None,
    objective: Objective | None = None,
    callback: Callback | None = None,
    **settings: Any,
) -> Result:
    """Paints the content of a photo in the style of paintings (neural style transfer).

    Args:
      content: The photo: a path, a PIL image, or floats `[H, W, 3]` in [0, 1]; of several each is stylised.
      styles: The painting, or several; `style_weights` blends them.
      config: Settings; the defaults where there are none.
      features: The feature extractor, its name or its file; None takes the one that `config` names.
      content_masks: One mask a style, of the photo's size: `[H, W]` in [0, 1], or a path; 1 where that style goes.
      style_masks: One mask a style, of the painting's size: `[H, W]` in [0, 1], or a path; 1 where the painting counts.
      optimizer: Name of an optimiser, or any optax transformation of a picture, such as `optax.sgd(0.1)`, in place of
        the settings'. Its updates are multiplied by `learning_rate` where that is set.
      objective: Any objective of `jaxstyle.pixels.objectives`, to be made large in place of the distances to photo and
        paintings; comparing terms, such as `content("relu4_1")`, compare with the photo.
      callback: Called a few times a second with the loop's `Report`; `report.pictures()[0]` is the picture so far.
      **settings: Fields of `StyleTransferConfig`, such as `size=256`.

    Returns:
      The pictures and the history of their losses.

    Raises:
      JaxstyleError: An input that cannot be, told in one sentence.
      Diverged: A loss is no longer finite.
    """
    sources = {"contents": content, "styles": styles, "content_masks": content_masks, "style_masks": style_masks}
    ingredients = {"optimizer": optimizer, "objective": objective}
    return run_job(JOBS["stylize"], sources, config, settings, features, callback, ingredients)


def synthesize_texture(
    styles: PictureLike | Sequence[PictureLike],
    *,
    config: TextureConfig | None = None,
    features: Features | str | os.PathLike[str] | None = None,
    optimizer: optax.GradientTransformation | str | None = None,
    callback: Callback | None = None,
    **settings: Any,
) -> Result:
    """Synthesises a texture that looks like one picture, or like a mixture of several.

    Args:
      styles: The exemplar: a path, a PIL image, or floats `[h, w, 3]` in [0, 1]; or several, which `style_weights`
        blends.
      config: Settings; the defaults where there are none.
      features: The feature extractor, its name or its file; None takes the one that `config` names.
      optimizer: As for `stylize`.
      callback: As for `stylize`.
      **settings: Fields of `TextureConfig`, such as `size="640x480"` and `tileable=True`.

    Returns:
      The texture and the history of its losses.

    Raises:
      JaxstyleError: An input that cannot be, told in one sentence.
      Diverged: A loss is no longer finite.
    """
    return run_job(JOBS["texture"], {"styles": styles}, config, settings, features, callback, {"optimizer": optimizer})


def dream(
    picture: PictureLike | Sequence[PictureLike] | None = None,
    *,
    config: DreamConfig | None = None,
    features: Features | str | os.PathLike[str] | None = None,
    guide: PictureLike | None = None,
    mask: PictureLike | None = None,
    objective: Objective | None = None,
    callback: Callback | None = None,
    **settings: Any,
) -> Result:
    """Changes a picture until activations of a network grow (DeepDream).

    Args:
      picture: The photo: a path, a PIL image, or floats `[H, W, 3]` in [0, 1]; or several. None dreams on noise, with
        `init="noise"`.
      config: Settings; the defaults where there are none. Of `frames` the first is made.
      features: The feature extractor, its name or its file; None takes the one that `config` names.
      guide: A picture whose features the dream takes up.
      mask: `[H, W]` in [0, 1], of the photo's size, or a path; 1 where the picture may change.
      objective: Any objective of `jaxstyle.pixels.objectives`, in place of the settings' layers and channels.
      callback: As for `stylize`.
      **settings: Fields of `DreamConfig`, such as `layers=("relu4_1",)`.

    Returns:
      The pictures and the history of their losses; terms rise, and the loss is minus their sum.

    Raises:
      JaxstyleError: An input that cannot be, told in one sentence.
      Diverged: A loss is no longer finite.
    """
    sources = {"contents": picture, "guide": guide, "mask": mask}
    return run_job(JOBS["dream"], sources, config, settings, features, callback, {"objective": objective})


def visualize(
    objectives: Objective | Sequence[Objective] | None = None,
    *,
    config: VisualizationConfig | None = None,
    features: Features | str | os.PathLike[str] | None = None,
    callback: Callback | None = None,
    **settings: Any,
) -> Result:
    """Optimises a picture for each channel of a layer, to which the channel responds most (feature visualisation).

    All pictures are made by one compiled program.

    Args:
      objectives: To be made large, one a picture; all of one structure, such as
        `[channel("relu4_1", i) for i in range(64)]`. None takes the settings' `layer` and `channels`.
      config: Settings; the defaults where there are none.
      features: The feature extractor to look into, its name or its file; None takes the one that `config` names.
      callback: As for `stylize`.
      **settings: Fields of `VisualizationConfig`, such as `layer="relu3_1"` and `channels="0:8"`.

    Returns:
      The pictures, one an objective, and the history of their losses.

    Raises:
      JaxstyleError: An input that cannot be, told in one sentence.
      Diverged: A loss is no longer finite.
    """
    wanted = [objectives] if isinstance(objectives, Objective) else list(objectives or ())
    return run_job(JOBS["visualize"], {}, config, settings, features, callback, {"wanted": wanted} if wanted else {})


def project(
    workdir: str | os.PathLike[str],
    picture: PictureLike | Sequence[PictureLike],
    *,
    config: ProjectionConfig | None = None,
    features: Features | str | os.PathLike[str] | None = None,
    callback: Callback | None = None,
    **settings: Any,
) -> Result:
    """Finds the latent from which a trained generator draws a photo, as nearly as it can.

    Args:
      workdir: Of a GAN or a variational autoencoder.
      picture: The photo, or several, as for `stylize`.
      config: Settings; the defaults where there are none.
      features: As for `stylize`.
      callback: Likewise.
      **settings: Fields of `ProjectionConfig`, such as `space="w"` of StyleGAN 2.

    Returns:
      What the generator draws, the history, and in `found` the latents: `jaxstyle.sample(workdir, latents=found[0])`.

    Raises:
      JaxstyleError: An input that cannot be, told in one sentence.
    """
    return run_job(JOBS["project"], {"contents": picture}, config, {**settings, "workdir": workdir}, features, callback)


def run_job(
    job: PixelJob,
    sources: Mapping[str, Any],
    config: Any = None,
    settings: Mapping[str, Any] | None = None,
    features: Features | str | os.PathLike[str] | None = None,
    callback: Callback | None = None,
    ingredients: Mapping[str, Any] | None = None,
) -> Result:
    """Runs a pixel job on pictures in memory or on disk; `stylize` and the other functions above call this one.

    Args:
      job: The job.
      sources: Pictures by the names of the job's `Reads`: one or several, as paths, PIL images or arrays; or None.
      config: The job's settings, or None for the defaults.
      settings: Fields by name, which count before `config`; `parametrization` may be one itself, such as a generator.
      features: The feature extractor, its name or its file; None takes the one that `config` names.
      callback: Called with the loop's `Report`s.
      ingredients: Further keywords of the job's `prepare`; None is left out, and a text is a setting.

    Returns:
      The pictures and the history of their losses.

    Raises:
      JaxstyleError: An input that cannot be, told in one sentence.
      Diverged: A loss is no longer finite.
    """
    settings = dict(settings or {})
    own = settings.pop("parametrization") if isinstance(settings.get("parametrization"), Parametrization) else None
    given = {**(ingredients or {}), "features": features}
    named = {name: value for name, value in given.items() if isinstance(value, (str, os.PathLike))}
    config = with_settings(job, config, {**settings, **named})
    config.check()
    lists = {name: as_list(value) for name, value in sources.items()}
    reader, kind = Reader(), job.contents
    inputs = read_inputs(job, lists, config, reader)
    contents = [reader(one, singular(kind)) for one in lists.get(kind.name, ())] if kind else []
    features = features if isinstance(features, Features) else load_features(config)
    extra = {name: value for name, value in (ingredients or {}).items() if value is not None and name not in named}
    points = [{}] if "wanted" in extra else job.points(config, features)
    shapes: list[Any] = [content.rgb.shape[:2] for content in contents] or [None]
    history = callbacks.History()
    made: dict[int, list[np.ndarray]] = {}
    beside: dict[int, Any] = {}
    told = [history] if callback is None else [history, callback]
    with interruptible() as stop:
        for chosen, some in batches(job, config, features, shapes, points):
            here = inputs.having(kind.name, [contents[i] for i in chosen] if contents else []) if kind else inputs
            problem = job.prepare(config, features, here, some, **extra)
            if own is not None:
                problem = problem._replace(method=problem.method._replace(parametrization=own))
            outcome = optimize(problem, choose_devices(config.devices), callbacks=told, stop=stop)
            for i, pictures in zip(chosen, np.split(outcome.pictures, len(chosen)), strict=True):
                alone = here.having(kind.name, [contents[i]]) if kind and contents else here
                made.setdefault(i, []).extend(job.finish(config, picture, alone) for picture in pictures)
            if job.found:
                beside |= {i: job.found(config, outcome.params(number)) for number, i in enumerate(chosen)}
    shown = [picture for _, pictures in sorted(made.items()) for picture in pictures]
    return Result(shown, list(history), [beside[i] for i in sorted(beside)])


def with_settings(job: PixelJob, config: Any, settings: Mapping[str, Any]) -> Any:
    """Returns a job's settings with some replaced.

    Raises:
      JaxstyleError: A name that is no setting; the nearest is told.
    """
    known = [field.name for field in dataclasses.fields(job.config)]
    for name in settings:
        if name not in known:
            raise JaxstyleError(f"{job.name} has no setting {name!r}; {did_you_mean(name, known)}")
    return job.config(**settings) if config is None else dataclasses.replace(config, **settings)


def as_list(value: Any) -> list[Any]:
    """Returns a list of pictures: of one picture a list of one, of None an empty list."""
    return [] if value is None else list(value) if isinstance(value, (list, tuple)) else [value]
