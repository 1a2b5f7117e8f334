"""The files of a job: which are read, where results go, and whether both can be; all asked before the first step."""

from __future__ import annotations

import contextlib
import dataclasses
import os
import pathlib
import sys
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any

from jaxstyle.data.dataset import left_out_text, plural
from jaxstyle.data.folders import other_files
from jaxstyle.errors import JaxstyleError
from jaxstyle.media.image_decoding import Picture
from jaxstyle.media.image_reading import PictureLike, read_large, read_mask
from jaxstyle.media.image_writing import check_writable
from jaxstyle.media.paths import picture_paths
from jaxstyle.pixels.job import Inputs, PixelJob, Point, Reads
from jaxstyle.runtime import atomic

ROOM = 2**30
"""Bytes of pictures that are kept between being checked and being used; others are decoded a second time."""


@dataclasses.dataclass(frozen=True)
class Files:
    """The files of a job, beside its settings.

    Attributes:
      sources: Paths of the pictures that it reads, by the names of its `Reads`.
      output: The result's path; a folder when there are several results, one that ends in `/` is made.
      sweep: Setting -> values; every combination is made.
      bits: 8, or 16 for PNG and TIFF.
      save_every: Steps between intermediate pictures; 0 keeps none.
      trace: JSON-lines file of every step's losses, or None; a resumed run goes on with it.
      resume: Whether to go on where an interrupted run of the same job stopped.
      flow: Of a film: a folder of optical flow (`optical_flow.folder_flow`); None lets OpenCV estimate it.
      fps: Of a film: frames a second of the result; None takes the film's own.
      bad_frames: Of a film: `"stop"` refuses to start where a frame cannot be read, `"skip"` goes on without.
    """

    sources: Mapping[str, Sequence[str]]
    output: str
    sweep: Mapping[str, Sequence[float]] = dataclasses.field(default_factory=dict)
    bits: int = 8
    save_every: int = 0
    trace: str | None = None
    resume: bool = False
    flow: str | None = None
    fps: float | None = None
    bad_frames: str = "stop"

    @property
    def into_folder(self) -> bool:
        """Whether results go into a folder, one that is there or one that is to be made."""
        return names_folder(self.output)


def names_folder(output: str) -> bool:
    """Whether results go into a folder by that name: it is one, or ends in `/`."""
    return output.endswith(("/", os.sep)) or os.path.isdir(output)


class Reader:
    """Reads pictures, each file once as long as all of them fit into `ROOM`."""

    def __init__(self) -> None:
        self.kept: dict[str, Picture] = {}
        self.room = ROOM

    def __call__(self, source: PictureLike, name: str) -> Picture:
        """Reads a picture that is large enough; see `read_large`."""
        if not isinstance(source, (str, os.PathLike)):
            return read_large(source, name)
        path = os.fspath(source)
        if path not in self.kept:
            picture = read_large(path, name)
            self.room -= picture.rgb.nbytes
            if self.room < 0:
                return picture
            self.kept[path] = picture
        return self.kept[path]


def read_inputs(job: PixelJob, sources: Mapping[str, Sequence[Any]], config: Any, reader: Reader) -> Inputs:
    """Reads the pictures of a job that each run of it shares; those made one by one are left to the runs.

    `sources` are paths, PIL images or arrays by the names of the reads; a setting's file counts where none is given.
    Raises `JaxstyleError` where one cannot be read, or too few are given.
    """
    inputs = Inputs()
    for kind in job.reads:
        given = list(sources.get(kind.name, ()))
        named = getattr(config, kind.setting) if kind.setting else None
        if not given and named is not None and named not in kind.words:
            given = [named]
        if len(given) < kind.least:
            raise JaxstyleError(f"{job.name} needs {'one' if kind.least == 1 else kind.least} of {kind.name} at least")
        if given and not kind.each:
            inputs[kind.name] = [read_mask(one) if kind.mask else reader(one, singular(kind)) for one in given]
    return inputs


def tell_folders(sources: Sequence[str]) -> None:
    """Says on stderr how many pictures the folders among some sources hold, and what is left out of them."""
    for folder in filter(os.path.isdir, sources):
        found, rest = plural(len(picture_paths(folder)), "picture"), other_files(pathlib.Path(folder), recursive=False)
        print(f"jaxstyle: {folder!r}: {found}{left_out_text(rest)}", file=sys.stderr)


def singular(kind: Reads) -> str:
    """The name of one picture of a kind."""
    return kind.name.removesuffix("s")


def distinct(stems: Sequence[str]) -> list[str]:
    """The stems, with their positions appended where several are the same."""
    names = []
    for i, stem in enumerate(stems, 1):
        name = stem if stems.count(stem) == 1 else f"{stem}-{i}"
        while name != stem and name in stems:
            name += f"-{i}"
        names.append(name)
    return names


def stems_of(paths: Sequence[str]) -> list[str]:
    """Names for the results of sources, all different."""
    return distinct([pathlib.Path(path.removeprefix("example:")).stem for path in paths])


@dataclasses.dataclass(frozen=True)
class Outputs:
    """Where the results of a job go.

    Attributes:
      paths: Content -> point -> picture of its group -> path.
      sheet: The contact sheet of several points, or None.
      folder: Made when the job begins, where it is not there yet; or None.
      temporary: Whether that folder is deleted in the end: of several points in one file, the sheet alone is wanted.
    """

    paths: list[list[list[pathlib.Path]]]
    sheet: pathlib.Path | None = None
    folder: pathlib.Path | None = None
    temporary: bool = False

    def all(self) -> list[pathlib.Path]:
        """Every picture's path."""
        return [path for row in self.paths for group in row for path in group]


def plan_outputs(job: PixelJob, files: Files, config: Any, contents: Sequence[str], points: Sequence[Point]) -> Outputs:
    """Where each content's pictures at each point go.

    Raises:
      JaxstyleError: Several contents would go into one file.
    """
    output, group = pathlib.Path(files.output), job.pictures(config)
    kind = job.contents
    folders = kind is not None and any(map(os.path.isdir, files.sources.get(kind.name, ())))
    if (len(contents) > 1 or folders) and not files.into_folder:
        raise JaxstyleError(
            f"several pictures go into a folder, and output {files.output!r} is none: end it in '/', or make it first"
        )
    several = len(points) * group > 1
    if not several and not files.into_folder:
        return Outputs([[[output]]])
    folder = output if files.into_folder else output.with_name(f".{output.name}.parts")
    named = contents or next((files.sources[read.name] for read in job.reads if files.sources.get(read.name)), ())[:1]
    stems = stems_of(named) if named else [""]

    def path(stem: str, point: Point, number: int) -> pathlib.Path:
        facet = str(number + 1) if group > 1 else ""
        parts = [part for part in (stem, job.label(config, point)[0], facet) if part]
        return folder / ("-".join(parts or [job.name]) + ".png")

    paths = [[[path(stem, point, i) for i in range(group)] for point in points] for stem in stems]
    sheet = None if not several else output / job.sheet if files.into_folder else output
    return Outputs(paths, sheet, folder, temporary=not files.into_folder)


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


def check_outputs(outputs: Outputs, files: Files, sources: Iterable[str]) -> None:
    """Raises `JaxstyleError` for results that cannot be written, or would overwrite one of the sources."""
    if outputs.temporary:
        assert outputs.sheet is not None
        check_results([outputs.sheet], files.bits, sources)
    elif outputs.folder is not None and not outputs.folder.exists():
        check_new_folder(outputs.folder)
    else:
        check_results([*outputs.all(), *([outputs.sheet] if outputs.sheet else [])], files.bits, sources)


def check_new_folder(folder: pathlib.Path) -> pathlib.Path:
    """The folder that is there, in which a new one would be made; raises `JaxstyleError` where it cannot be made."""
    above = next(place for place in folder.absolute().parents if place.exists())
    if not above.is_dir() or not os.access(above, os.W_OK):
        reason = "cannot be written" if above.is_dir() else "is a file"
        raise JaxstyleError(f"{str(folder)!r} cannot be a folder, as {str(above)!r} {reason}; name another")
    return above


def make_folder(folder: str | os.PathLike[str]) -> None:
    """Makes a folder where there is none, and clears it of what killed runs left; may raise `JaxstyleError`."""
    try:
        os.makedirs(folder, exist_ok=True)
        atomic.remove_leftovers(folder)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise JaxstyleError(f"{os.fspath(folder)!r} cannot be a folder ({reason}); name another") from None


def check_trace(path: str | None) -> None:
    """Raises `JaxstyleError` for a trace that cannot be written; tries it, and leaves nothing behind."""
    if path is None:
        return
    existed = os.path.exists(path)
    try:
        open(path, "a").close()
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise JaxstyleError(f"cannot write the trace {path!r}: {reason}") from None
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
