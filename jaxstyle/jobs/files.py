"""Which files a stylisation reads and writes, and whether they can be: all asked before the first step."""

from __future__ import annotations

import contextlib
import dataclasses
import itertools
import json
import os
import pathlib
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

import jaxstyle
from jaxstyle.errors import JaxstyleError, did_you_mean
from jaxstyle.media.image_decoding import Picture
from jaxstyle.media.image_reading import read_mask, read_picture, read_settings
from jaxstyle.media.image_resizing import check_size
from jaxstyle.media.image_writing import check_writable
from jaxstyle.media.paths import PICTURE_SUFFIXES, VIDEO_SUFFIXES
from jaxstyle.pixels.config import INITS, SWEEPABLE, StyleTransferConfig
from jaxstyle.pixels.inputs import Inputs


@dataclasses.dataclass(frozen=True)
class Files:
    """What a job reads and writes, beside its settings.

    Attributes:
      contents: Photos, or folders of photos.
      styles: Paintings.
      output: The result's path; a folder when there are several results.
      content_masks: One a style, or none.
      style_masks: One a style, or none.
      sweep: Setting -> values; every combination is made.
      bits: 8, or 16 for PNG and TIFF.
      save_every: Steps between intermediate pictures; 0 keeps none.
      trace: JSON-lines file of every step's losses, or None; a resumed run goes on with it.
      resume: Whether to go on where an interrupted run of the same job stopped.
    """

    contents: Sequence[str]
    styles: Sequence[str]
    output: str
    content_masks: Sequence[str] = ()
    style_masks: Sequence[str] = ()
    sweep: Mapping[str, Sequence[float]] = dataclasses.field(default_factory=dict)
    bits: int = 8
    save_every: int = 0
    trace: str | None = None
    resume: bool = False


def list_contents(sources: Sequence[str]) -> list[str]:
    """The photos named, folders replaced by the pictures in them, sorted by name."""
    paths = []
    for source in sources:
        if os.path.isdir(source):
            found = sorted(path for path in pathlib.Path(source).iterdir() if is_picture(path))
            films = sorted(path for path in pathlib.Path(source).iterdir() if path.suffix.lower() in VIDEO_SUFFIXES)
            if films:
                raise JaxstyleError(f"the folder {source!r} holds a film, {films[0].name!r}: name films one by one")
            if not found:
                raise JaxstyleError(f"the folder {source!r} holds no pictures ({', '.join(sorted(PICTURE_SUFFIXES))})")
            paths += [str(path) for path in found]
        else:
            paths.append(source)
    return paths


def is_picture(path: pathlib.Path) -> bool:
    """Whether a file in a folder is taken for a photo, by its name; hidden ones are not."""
    return path.suffix.lower() in PICTURE_SUFFIXES and not path.name.startswith(".")


def sweep_points(sweep: Mapping[str, Sequence[float]], config: StyleTransferConfig) -> list[dict[str, float]]:
    """Every combination of the values swept over; one empty point when there are none.

    Raises:
      JaxstyleError: A setting that cannot be swept, or a value it cannot have.
    """
    for name, values in sweep.items():
        if name not in SWEEPABLE:
            raise JaxstyleError(f"cannot sweep {name!r}; {did_you_mean(name, SWEEPABLE)}")
        if not values:
            raise JaxstyleError(f"--sweep {name} has no values; write --sweep {name}=1,10,100")
        if len({f"{value:g}" for value in values}) < len(values):
            raise JaxstyleError(f"--sweep {name} has a value twice (to six digits); give each once")
        for value in values:
            changes: Any = {name: value}
            dataclasses.replace(config, **changes).check()
    return [dict(zip(sweep, values, strict=True)) for values in itertools.product(*sweep.values())]


def output_paths(files: Files, contents: Sequence[str], points: Sequence[dict[str, float]]) -> list[list[pathlib.Path]]:
    """Where each content's result at each point goes."""
    output = pathlib.Path(files.output)
    is_folder = os.path.isdir(output)  # unlike pathlib's it raises nothing, for instance when the name is too long
    several = len(contents) > 1 or len(points) > 1 or any(os.path.isdir(source) for source in files.contents)
    if several and not is_folder:
        raise JaxstyleError(
            f"several pictures go into a folder, and output {files.output!r} is none; name one, or make it first"
        )
    if not is_folder:
        return [[output]]
    names = distinct([pathlib.Path(path.removeprefix("example:")).stem for path in contents])
    return [[output / ("-".join([name, *labels(point)]) + ".png") for point in points] for name in names]


def distinct(stems: Sequence[str]) -> list[str]:
    """The stems, with their positions appended where several are the same."""
    names = []
    for i, stem in enumerate(stems, 1):
        name = stem if stems.count(stem) == 1 else f"{stem}-{i}"
        while name != stem and name in stems:
            name += f"-{i}"
        names.append(name)
    return names


def check_results(results: Sequence[pathlib.Path], bits: int, sources: Iterable[str]) -> None:
    """Raises `JaxstyleError` for a result that cannot be written, or would overwrite what it is made from."""
    for path in results:
        check_writable(path, bits)
    check_apart(results, sources)


def check_apart(results: Iterable[pathlib.Path], sources: Iterable[str]) -> None:
    """Raises `JaxstyleError` for a result that would overwrite what it is made from."""
    named = {os.path.realpath(name): name for name in sources}
    for path in results:
        if (source := named.get(os.path.realpath(path))) is not None:
            raise JaxstyleError(f"the result would overwrite {source!r}, which it is made from; name another output")


def recorded(config: Any, **sources: Sequence[str]) -> dict[str, Any]:
    """What a result depends on, without times, places or machines: it goes into the result's metadata.

    Args:
      config: The job's settings, a dataclass with `features` and `devices`.
      **sources: Paths of the pictures it is made from, by their part in it.
    """
    values = dataclasses.asdict(config) | {"features": os.path.basename(config.features)}
    del values["devices"]
    names = {part: [os.path.basename(path) for path in paths] for part, paths in sources.items()}
    return json.loads(json.dumps({"jaxstyle": jaxstyle.__version__, **names, **values}))


def made_with(path: pathlib.Path, settings: Mapping[str, Any]) -> bool:
    """Whether a result is there already, made with the same settings."""
    with contextlib.suppress(JaxstyleError):  # a damaged file is made again
        return path.exists() and read_settings(path) == settings
    return False


def labels(point: Mapping[str, float]) -> list[str]:
    """A sweep's point in words: `content_weight=10`."""
    return [f"{name}={value:g}" for name, value in point.items()]


def read(path: str, name: str) -> Picture:
    """A picture that is large enough to be stylised or to be a style."""
    if name != "content" and os.path.isdir(path):
        raise JaxstyleError(f"the {name} {path!r} is a folder; name a picture")
    picture = read_picture(path)
    height, width = picture.rgb.shape[:2]
    check_size(height, width, path)
    return picture


def read_inputs(files: Files, config: StyleTransferConfig) -> Inputs:
    """Styles, masks and the starting picture; the contents are filled in group by group."""
    start = None if config.init in INITS else read(config.init, "init").rgb
    return Inputs(
        contents=(),
        styles=[read(path, "style").rgb for path in files.styles],
        content_masks=[read_mask(path) for path in files.content_masks],
        style_masks=[read_mask(path) for path in files.style_masks],
        start=start,
    )


def check_trace(path: str | None) -> None:
    """Raises `JaxstyleError` for a trace that cannot be written; tries it, and leaves nothing behind."""
    if path is None:
        return
    existed = os.path.exists(path)
    try:
        open(path, "a").close()
    except OSError as error:
        raise JaxstyleError(f"cannot write the trace {path!r}: {error.strerror}") from None
    if not existed:
        os.unlink(path)


@contextlib.contextmanager
def trace_file(path: str | None, resume: bool) -> Iterator[Any]:
    """The trace file opened for writing, at its end when the run is resumed, or None."""
    if path is None:
        yield None
        return
    with open(path, "a+" if resume else "w+") as file:
        yield file
