"""A pixel job as a value: its settings, the pictures it reads, how it is prepared, finished and filmed.

The runner in `jobs/` does the rest: files, resuming, batches, metadata, films; so do command line, Python and recipes.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Hashable, Mapping, Sequence
from typing import Any, NamedTuple

import numpy as np

from jaxstyle.features import Features
from jaxstyle.media.image_decoding import Picture
from jaxstyle.pixels.loop import Problem
from jaxstyle.runtime.settings import Settings

Point = Mapping[str, Any]
"""Settings that some pictures of a run have in place of the run's own, as in a sweep."""


class Reads(NamedTuple):
    """A kind of picture that a job reads.

    Attributes:
      name: Its key in `Inputs`, in Python calls, recipes and metadata.
      metavar: By which the help of the command calls it.
      help: For `--help`.
      mask: Whether it is read as a mask.
      film: Whether it is a film, read frame by frame.
      least: How many there must be.
      each: Whether each of them is made into a picture of its own; folders of them are accepted then.
      option: Of the command line, repeated for several; "" for words without an option.
      setting: The setting that names its file, in place of words and options.
      words: Values of that setting which name no file.
    """

    name: str
    metavar: str
    help: str = ""
    mask: bool = False
    film: bool = False
    least: int = 0
    each: bool = False
    option: str = ""
    setting: str = ""
    words: tuple[str, ...] = ()


class Inputs(dict[str, list[Any]]):
    """The pictures of a run by the names of its `Reads`: `Picture`s, or masks `[H, W]`; nothing given is empty."""

    def __missing__(self, name: str) -> list[Any]:
        return []

    def rgb(self, name: str) -> list[np.ndarray]:
        """Colours `[H, W, 3]` of all pictures of one kind."""
        return [picture.rgb for picture in self[name]]

    def first(self, name: str) -> Any:
        """The first of one kind, or None."""
        return self[name][0] if self[name] else None

    def having(self, name: str, values: Sequence[Any]) -> Inputs:
        """The same with other pictures of one kind."""
        return Inputs({**self, name: list(values)})


def unchanged(config: Any, picture: np.ndarray, inputs: Inputs) -> np.ndarray:
    """The picture as the loop leaves it."""
    return picture


def no_points(config: Any, features: Features) -> list[Point]:
    """One picture with the settings as they are."""
    return [{}]


def alone(config: Any, features: Features, shape: tuple[int, ...] | None) -> tuple[Hashable, int]:
    """Every picture in a run of its own."""
    return shape, 1


def by_settings(config: Any, point: Point) -> tuple[str, str]:
    """A point's part of a file's name, and its label on a sheet: `content_weight=10`."""
    texts = [f"{name}={value:g}" for name, value in point.items()]
    return "-".join(texts), ", ".join(texts)


@dataclasses.dataclass(frozen=True)
class PixelJob:
    """A kind of pixel optimisation.

    Attributes:
      name: Of its command, its recipe and its Python function.
      help: One line on it.
      config: Its settings, with at least `features` and `devices`.
      prepare: `(config, features, inputs, points, **ingredients) -> Problem` of `max(1, contents) · points` pictures:
        content 1 at all points, content 2 at all points, …; checks everything, computes nothing expensive.
      reads: The pictures it reads.
      finish: `(config, picture [H, W, 3], inputs) -> [H, W, 3]`, the result as it is shown; of the kind that is read
        `each`, the inputs have the one that the picture was made of.
      points: `(config, features) -> points`, one or several pictures of everything that is read.
      sweepable: Settings over which a sweep may go.
      pictures: `config -> number of pictures that are optimised as one group`.
      batch: `(config, features, shape of the content or None) -> (key, pictures at once)`: contents with equal keys
        are run together.
      label: `(config, point) -> (part of the file's name, label on a sheet)`.
      sheet: File name of the contact sheet, which several points get.
      frames: `(config, inputs, pictures, flow) -> generator` of a film: it yields the inputs of each frame, and is sent
        the frame as painted, `[H, W, 3]`. `pictures` are the frames of a film that is read, `flow` is the optical flow
        between them, or both are None. A job without `frames` makes no films.
      films: Whether settings ask for a film.
      found: `(config, parameters of a picture) -> what is found beside it`, whose `write(path)` keeps it as .npz.
    """

    name: str
    help: str
    config: type[Settings]
    prepare: Callable[..., Problem]
    reads: tuple[Reads, ...] = ()
    finish: Callable[[Any, np.ndarray, Inputs], np.ndarray] = unchanged
    points: Callable[[Any, Features], list[Point]] = no_points
    sweepable: tuple[str, ...] = ()
    pictures: Callable[[Any], int] = lambda config: 1
    batch: Callable[[Any, Features, tuple[int, ...] | None], tuple[Hashable, int]] = alone
    label: Callable[[Any, Point], tuple[str, str]] = by_settings
    sheet: str = "contact_sheet.png"
    frames: Callable[..., Any] | None = None
    films: Callable[[Any], bool] = lambda config: False
    found: Callable[[Any, Any], Any] | None = None

    @property
    def contents(self) -> Reads | None:
        """The kind of picture that each becomes a result; None where there is none."""
        return next((kind for kind in self.reads if kind.each), None)


def first_alpha(inputs: Inputs, name: str) -> np.ndarray | None:
    """The alpha `[H, W]` of the first picture of a kind, or None."""
    picture: Picture | None = inputs.first(name)
    return None if picture is None else picture.alpha
