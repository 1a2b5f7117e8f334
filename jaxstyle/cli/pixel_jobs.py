"""The commands of pixel jobs, made from the jobs: words and options from what they read, settings from their fields."""

from __future__ import annotations

import argparse
import dataclasses
import sys
from collections.abc import Mapping, Sequence
from typing import Any, TypeVar

from jaxstyle.cli.options import keep_compiled
from jaxstyle.errors import Interrupted, JaxstyleError
from jaxstyle.features import DEFAULT, load
from jaxstyle.jobs.files import Files
from jaxstyle.jobs.film_files import part_films
from jaxstyle.jobs.registry import FILMS, JOBS
from jaxstyle.jobs.runner import run_job
from jaxstyle.pixels.job import PixelJob, Reads
from jaxstyle.runtime.settings import Settings, named

Chosen = TypeVar("Chosen", bound=Settings)

FILM_OPTIONS = ("fps", "flow", "bad_frames")


class Command:
    """The command of one job, with the `add_arguments` and `run` that every command has.

    Args:
      job: The job.
      film: The job that takes its place where the content is a film, with more settings; None where there is none.
    """

    def __init__(self, job: PixelJob, film: PixelJob | None = None):
        self.job, self.film = job, film

    def add_arguments(self, parser: argparse.ArgumentParser) -> None:
        """Adds words, files, what to keep of a run, and an option for every setting."""
        first = [field for field in dataclasses.fields(self.job.config) if field.metadata["word"]]
        words = [f"{kind.metavar} [{kind.metavar} …]" if not kind.each else kind.metavar for kind in self.words]
        line = [f"jaxstyle {self.job.name}", *(field.name.upper() for field in first), *words]
        parser.usage = " ".join([*line, "-o OUT [options]"])
        for field in first:
            parser.add_argument(field.name, metavar=field.name.upper(), help=field.metadata["help"])
        if self.words:
            told = "; ".join(kind.help for kind in self.words)
            names = " ".join(kind.metavar for kind in self.words)
            parser.add_argument("words", nargs="*", metavar=names, help=told)
        if len(self.words) > 1:
            more = f"photos or folders; then all words are {self.words[1].name}"
            parser.add_argument("--content", nargs="+", default=[], metavar="PATH", help=more)
        target = "PNG, JPEG, WebP or TIFF; a folder for several results"
        if self.job.frames or self.film:
            target += "; of a film .gif, .mp4, a folder or frames/%%04d.png"
        parser.add_argument("-o", "--output", metavar="OUT", help=target)
        for kind in self.options:
            text = f"{kind.help}; repeat for several"
            parser.add_argument(f"--{kind.option}", action="append", default=[], metavar=kind.metavar, help=text)
        parser.add_argument(
            "--list-layers", action="store_true", help="print the network's layers and their widths, and stop"
        )
        add_run_options(parser, self.job)
        if self.film:
            add_film_options(parser)
        add_settings(parser, (self.film or self.job).config)

    @property
    def words(self) -> list[Reads]:
        """The pictures named by words."""
        return [kind for kind in self.job.reads if not kind.option and not kind.setting]

    @property
    def options(self) -> list[Reads]:
        """The pictures named by options."""
        return [kind for kind in self.job.reads if kind.option]

    def run(self, args: argparse.Namespace) -> int:
        """Runs the job and prints the results' paths; 0 when it is done, 130 when it was interrupted."""
        if args.list_layers:
            return show_layers(args.features or DEFAULT)
        if args.output is None:
            raise JaxstyleError("no output: name it with -o")
        sources = self.sources(args)
        contents = sources.get(self.job.contents.name, []) if self.job.contents else []
        job = self.film if self.film and part_films(contents, args.output)[0] else self.job
        if self.film and job is self.job:
            film_only = {field.name for field in dataclasses.fields(self.film.config)} - set(vars(job.config()))
            for name in (*FILM_OPTIONS, *sorted(film_only)):
                if getattr(args, name) is not None:
                    raise JaxstyleError(f"{named(name)} is for films, and {contents[0]!r} is none")
        assert job is not None
        config = read_settings(args, job.config)
        files = Files(sources, args.output, **read_run_options(args))
        keep_compiled()
        try:
            for path in run_job(job, files, config):
                print(path)
        except Interrupted as stopped:
            print(f"jaxstyle: {stopped}", file=sys.stderr)
            return 130
        return 0

    def sources(self, args: argparse.Namespace) -> dict[str, list[str]]:
        """The paths that words and options name; raises `JaxstyleError` for too many words, or no painting."""
        found = {kind.name: list(getattr(args, kind.option.replace("-", "_"))) for kind in self.options}
        words = list(args.words) if self.words else []
        if len(self.words) > 1:
            first, second = self.words
            contents, words = (args.content, words) if args.content else (words[:1], words[1:])
            if not contents:
                raise JaxstyleError(f"no {first.metavar.lower()}: name {first.help}")
            if not words:
                raise JaxstyleError(f"no {second.metavar.lower()}: name a painting after the photo")
            return {first.name: list(contents), second.name: words, **found}
        return {kind.name: words for kind in self.words} | found


def commands() -> dict[str, Command]:
    """The commands of all jobs by name."""
    return {name: Command(job, FILMS.get(name)) for name, job in JOBS.items()}


def add_run_options(parser: argparse.ArgumentParser, job: PixelJob) -> None:
    """Adds what to keep of a run, whether to go on with one, and sweeps."""
    parser.add_argument("--bits", type=int, choices=(8, 16), default=8, help="bits a channel; 16 for PNG and TIFF")
    parser.add_argument("--save-every", type=int, default=0, metavar="N", help="keep the picture of every N-th step")
    parser.add_argument("--trace", metavar="FILE", help="write every step's losses as JSON lines")
    going_on = "go on where an interrupted run of the same command stopped"
    parser.add_argument("--resume", action="store_true", help=going_on)
    if job.sweepable:
        sweep = "make the picture with each value; repeat for a grid"
        parser.add_argument("--sweep", action="append", default=[], metavar="NAME=A,B,C", help=sweep)


def add_film_options(parser: argparse.ArgumentParser) -> None:
    """Adds how films are read and written."""
    rate = "of films: frames a second (default: the film's own; 25 for a folder of frames)"
    parser.add_argument("--fps", type=float, metavar="X", help=rate)
    flow = "of films: a folder of backward_2_1.flo, forward_1_2.flo and so on, or .npy (default: OpenCV finds the flow)"
    parser.add_argument("--flow", metavar="DIR", help=flow)
    bad = "of films: where a frame cannot be read, do not start, or name it and go on without (default: stop)"
    parser.add_argument("--bad-frames", metavar="stop|skip", help=bad)


def read_run_options(args: argparse.Namespace) -> dict[str, Any]:
    """The fields of `Files` that options name; raises `JaxstyleError` for one that cannot be."""
    if args.save_every < 0:
        raise JaxstyleError(f"--save-every is {args.save_every}; it must be at least 0")
    names = ("bits", "save_every", "trace", "resume")
    found = {name: getattr(args, name) for name in names}
    films = {name: getattr(args, name, None) for name in FILM_OPTIONS if name != "fps" or hasattr(args, "flow")}
    found |= {name: value for name, value in films.items() if value is not None}
    return found | {"sweep": parse_sweeps(getattr(args, "sweep", []))}


def add_settings(parser: argparse.ArgumentParser, settings: type[Settings]) -> None:
    """Adds an option for every field of a job's settings."""
    group = parser.add_argument_group("settings")
    for field in dataclasses.fields(settings):
        if field.metadata["word"]:
            continue
        name, text = "--" + field.name.replace("_", "-"), described(field)
        names = [name, *(f"--{alias}" for alias in [field.metadata["alias"]] if alias)]
        if settings.declared(field.name)[0] is bool:
            group.add_argument(*names, dest=field.name, action="store_const", const="true", help=text)
        else:
            group.add_argument(*names, dest=field.name, metavar=metavar(settings, field), help=text)


def metavar(settings: type[Settings], field: dataclasses.Field) -> str:
    """The placeholder of a setting's value in the help."""
    return "|".join(field.metadata["choices"]) or ("N" if settings.declared(field.name)[0] is int else "X")


def described(field: dataclasses.Field) -> str:
    """A setting's help with its default."""
    default = field.default
    if default is None or default is False or default in ((), ""):
        return field.metadata["help"]
    shown = (
        ",".join(f"{v:g}" if isinstance(v, float) else str(v) for v in default)
        if isinstance(default, tuple)
        else default
    )
    return f"{field.metadata['help']} (default: {shown})"


def read_settings(args: argparse.Namespace, settings: type[Chosen]) -> Chosen:
    """The settings given, and the defaults of the others; raises `JaxstyleError` for a value of the wrong type."""
    given = {field.name: getattr(args, field.name) for field in dataclasses.fields(settings)}
    return settings(**{name: settings.parse(name, text) for name, text in given.items() if text is not None})


def parse_sweeps(texts: Sequence[str]) -> Mapping[str, list[float]]:
    """All sweeps by name; raises `JaxstyleError` where one is malformed, or of the same setting as another."""
    sweeps: dict[str, list[float]] = {}
    for name, values in map(parse_sweep, texts):
        if name in sweeps:
            raise JaxstyleError(f"--sweep {name} is given twice; write all its values into one")
        sweeps[name] = values
    return sweeps


def parse_sweep(text: str) -> tuple[str, list[float]]:
    """`content_weight=1,10,100` (or with a hyphen) as a name and its values."""
    name, equals, values = text.partition("=")
    try:
        if equals:
            return name.strip().replace("-", "_"), [float(value) for value in values.split(",") if value.strip()]
    except ValueError:
        pass
    raise JaxstyleError(f"--sweep {text!r} is not of the form content_weight=1,10,100")


def show_layers(features: str) -> int:
    """Prints one line a layer of a network, shallow to deep: its name and its number of channels.

    Raises:
      JaxstyleError: No such network.
    """
    network = load(features)
    shapes = network.shapes(network.network.taps)
    width = max(map(len, shapes))
    for name, shape in shapes.items():
        print(f"{name:{width}}  {shape[-1]}")
    return 0
